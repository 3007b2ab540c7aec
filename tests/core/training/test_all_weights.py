"""All weights in training: one step is AdamW's on the plain network, and the file is read as it was written."""

import json

import pytest
import torch
from PIL import Image
from safetensors import safe_open

import tiny
from zimage_core.checkpoints import load_dit
from zimage_core.cli import main
from zimage_core.quant import INT8, quantize_layers
from zimage_core.training import Recipe
from zimage_core.training.encoded import EncodedExample, EncodedPicture
from zimage_core.training.flow_training import FlowMatching, TrainingSet, flow_matching_step, train_examples
from zimage_core.training.model_file import write_model
from zimage_core.training.trainables import AllWeights


@pytest.fixture
def dataset(generator):
    def drawn(*shape):
        return torch.randn(*shape, generator=generator)

    pictures = [EncodedPicture(drawn(16, 8, 8), torch.full((16, 8, 8), -3.0)) for _ in range(3)]
    return TrainingSet(
        examples=[EncodedExample(each, (drawn(9, 48),)) for each in pictures], no_caption=torch.ones(5, 48)
    )


def test_a_step_is_adamws_and_the_network_is_frozen_afterwards(tmp_path, dataset):
    recipe = Recipe(steps=1, lr=1e-3, warmup_steps=1, decay_part=0.0, clip=1e9, ema_decay=0.0)
    trained, plain = tiny.dit(), tiny.dit()
    step_of = FlowMatching(batch=2)
    [progress] = train_examples(trained, AllWeights(trained), dataset, step_of, recipe, tmp_path)

    plain.requires_grad_(True)
    generator = torch.Generator().manual_seed(0)
    loss = sum(flow_matching_step(plain, dataset, step_of, 0, 0, generator))
    loss.backward()
    torch.optim.AdamW(plain.parameters(), lr=1e-3, betas=recipe.betas, weight_decay=recipe.weight_decay).step()
    assert progress.loss == pytest.approx(loss.item(), rel=1e-6)
    for (name, found), expected in zip(trained.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, expected.detach(), atol=1e-6, rtol=0, msg=name)
        assert not found.requires_grad


def test_quantized_weights_are_refused():
    dit = tiny.dit()
    quantize_layers(dit, INT8)
    with pytest.raises(ValueError, match="layers of the model are quantized"):
        AllWeights(dit)


def test_the_file_is_read_as_it_was_written(tmp_path):
    dit, file = tiny.dit(), tmp_path / "new.safetensors"
    write_model(dit, file, {"modelspec.title": "new"})
    for name, found in load_dit(file, torch.float32).state_dict().items():
        assert torch.equal(found, dit.state_dict()[name].bfloat16().float()), name
    with safe_open(file, "pt") as opened:
        assert opened.metadata()["modelspec.title"] == "new"


@pytest.mark.slow
def test_the_command_trains_nano_and_a_second_time_has_nothing_left_to_do(tmp_path, capsys):
    data, out = tmp_path / "data", tmp_path / "all.safetensors"
    data.mkdir()
    Image.new("RGB", (32, 32), "red").save(data / "a.png")
    (data / "a.txt").write_text("a red zorp")
    command = ["train", "full", "--model", "nano", "--data", data, "--out", out, "--steps", 2, "--side", 32, "--json"]
    assert main([str(each) for each in command]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 2
    first = load_dit(out).state_dict()
    assert main([str(each) for each in command]) == 0
    assert json.loads(capsys.readouterr().out)["loss"] is None
    assert all(torch.equal(found, first[name]) for name, found in load_dit(out).state_dict().items())
