"""Turbo: recognized by name, header or scheduler; its adapter leaves neither the base nor the file changed."""

import json

import pytest
import torch
from PIL import Image

import tiny
from zimage_core.adapters import Lora, LowRank, Target
from zimage_core.atomic_file import save_tensors
from zimage_core.quant import INT8, quantize_layers
from zimage_core.recipes import LoraConfig
from zimage_core.sampling import TURBO
from zimage_core.training import Recipe
from zimage_core.training.encoded import EncodedExample, EncodedPicture
from zimage_core.training.flow_training import FlowMatching, TrainingSet, train_examples
from zimage_core.training.previews import Previews, Prompts
from zimage_core.training.trainables import LoraTrainable
from zimage_core.training.training_adapter import TrainingAdapter
from zimage_core.training.turbo import is_turbo, refuse_turbo
from zimage_core.training.watch import Watch


def adapter_lora(dit, generator):
    names = ["layers.0.attention.out.weight", "layers.1.feed_forward.w1.weight"]
    shapes = {name: dit.get_parameter(name).shape for name in names}
    deltas = {
        Target(name): LowRank(
            up=torch.randn(height, 2, generator=generator), down=torch.randn(2, width, generator=generator)
        )
        for name, (height, width) in shapes.items()
    }
    return Lora(file="undone.safetensors", family="test", deltas=deltas)


@pytest.mark.parametrize("is_packed", [False, True])
def test_the_adapter_is_in_for_training_out_for_previews_and_gone_afterwards(tmp_path, generator, is_packed):
    dit = tiny.dit()
    lora = adapter_lora(dit, generator)
    if is_packed:
        quantize_layers(dit, INT8)
    before = {name: tensor.clone() for name, tensor in dit.state_dict().items()}
    caption, latent = torch.randn(9, 48, generator=generator), torch.randn(1, 16, 8, 8, generator=generator)

    def velocity(*_):
        with torch.no_grad():
            return dit(latent, torch.tensor([0.5]), [caption])

    adapter, plain = TrainingAdapter(dit, lora, torch.device("cpu")), velocity()
    seen = []

    class Looking(Previews):
        def save(self, dit, done, folder, run=None):
            seen.append(velocity())

    looking = Looking(
        prompts=Prompts([caption], caption, (8, 8)),
        preset=TURBO,
        every=1,
        decode=lambda x: Image.new("RGB", x),
    )
    trained = LoraTrainable(dit, rank=2, alpha=2.0, generator=generator)
    picture = EncodedPicture(latent[0], torch.full_like(latent[0], -3.0))
    dataset = TrainingSet(examples=[EncodedExample(picture, (caption,))], no_caption=caption)
    recipe = Recipe(steps=2, lr=0.0, warmup_steps=1)  # the LoRA stays nothing, so that only the adapter shows

    def losses(folder, **more):
        watch = Watch(previews=looking)
        steps = train_examples(dit, trained, dataset, FlowMatching(), recipe, folder, watch=watch, **more)
        return [each.loss for each in steps]

    assert losses(tmp_path / "with", adapter=adapter) != losses(tmp_path / "without")
    assert len(seen) == 4 and all(torch.equal(each, plain) for each in seen)
    assert torch.equal(velocity(), plain) and not any("forward" in vars(each) for each in dit.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in dit.state_dict().items())
    assert not {target.parameter for target in trained.lora("x").deltas} - {f"{name}.weight" for name in trained.names}


def test_gradients_pass_through_the_adapter(generator):
    dit = tiny.dit()
    adapter = TrainingAdapter(dit, adapter_lora(dit, generator), torch.device("cpu"))
    x = torch.randn(3, dit.config.dim, generator=generator, requires_grad=True)
    layer = dit.layers[0].attention.out
    [delta] = [each for target, each in adapter_lora(dit, torch.Generator().manual_seed(0)).deltas.items()][:1]
    with adapter.attached():
        [found] = torch.autograd.grad(layer(x).sum(), x)
    assert not torch.allclose(found, torch.autograd.grad(layer(x).sum(), x)[0]) and delta.up.shape[1] == 2


def test_turbo_is_known_by_name_header_or_scheduler(tmp_path):
    def file(name, **metadata):
        save_tensors(tmp_path / name, {"x": torch.zeros(1)}, metadata)
        return tmp_path / name

    assert is_turbo(file("z_image_turbo_bf16.safetensors"))
    assert is_turbo(file("mine.safetensors", **{"ss_base_model_version": "z_image_turbo"}))
    assert not is_turbo(file("z_image_bf16.safetensors"))
    assert not is_turbo(file("z-image-de-turbo.safetensors"))
    pipeline = tmp_path / "downloaded" / "scheduler"
    pipeline.mkdir(parents=True)
    for shift, expected in ((3.0, True), (6.0, False)):
        (pipeline / "scheduler_config.json").write_text(json.dumps({"shift": shift}))
        assert is_turbo(pipeline.parent) is expected


def test_turbo_is_trained_on_with_an_adapter_or_consent_alone(tmp_path):
    model = tmp_path / "Z-Image-Turbo"

    def config(**more):
        return LoraConfig(model=str(model), data=tmp_path, out=tmp_path / "x.safetensors", **more)

    with pytest.raises(ValueError, match="loses its 8 steps"):
        refuse_turbo(model, config())
    refuse_turbo(model, config(adapter=tmp_path / "a.safetensors"))
    refuse_turbo(model, config(accept_losing_8_steps=True))
