"""A LoRA on a base whose blocks are on the device only while they run has the gradients of one that is there whole."""

from pathlib import Path

import pytest
import torch
from PIL import Image

import tiny
from zimage_core.quant import SCHEMES, quantize_layers
from zimage_core.recipes import LoraConfig
from zimage_core.runtime.offload.copy_streams import SynchronousCopies
from zimage_core.runtime.offload.streaming import stream
from zimage_core.sampling.presets import Preset
from zimage_core.training.encoded_example import EncodedExample, EncodedPicture
from zimage_core.training.flow_training import FlowMatching, TrainingSet, train_examples
from zimage_core.training.loop.micro_batches import Noised
from zimage_core.training.loop.runner import Recipe
from zimage_core.training.objectives.noised import losses_of
from zimage_core.training.objectives.streamed_blocks import streamed_blocks
from zimage_core.training.placed import placed
from zimage_core.training.previews import Previews, Prompts
from zimage_core.training.trainables import KINDS, LoraTrainable
from zimage_core.training.trained_file import trainable_of
from zimage_core.training.watch import Watch


class CountedCopies(SynchronousCopies):
    """How many blocks were copied."""

    count = 0

    def fill(self, slot, copies):
        self.count += 1
        super().fill(slot, copies)


@pytest.mark.parametrize("kind, scheme", [*((kind, None) for kind in KINDS), ("lora", "int8"), ("lora", "fp8")])
@pytest.mark.parametrize("resident", [0, 1])
def test_a_streamed_base_has_the_gradients_of_a_resident_one(generator, kind, scheme, resident):
    dit = tiny.dit()
    if scheme:
        quantize_layers(dit, SCHEMES[scheme])
    trained = LoraTrainable(dit, rank=3, alpha=6.0, generator=torch.Generator().manual_seed(2), kind=kind)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    latent, noise, words = (torch.randn(shape, generator=generator) for shape in ((16, 8, 8), (16, 8, 8), (20, 48)))
    group = [Noised(latent, noise, torch.tensor(0.4), words)]

    def gradients(**options):
        trained.zero_grad()
        with trained.attached():
            loss = losses_of(dit, group, **options)[0].mean()
            weights = {name: weight.data for name, weight in dit.layers.named_parameters()}
            try:
                # outside of its turn a streamed block has no values that a gradient could be made of
                for name, weight in dit.layers.named_parameters():
                    if "run" in options and int(name.partition(".")[0]) >= resident:
                        weight.data = torch.full_like(weight, torch.nan if weight.is_floating_point() else 0)
                loss.backward()
            finally:
                for name, weight in dit.layers.named_parameters():
                    weight.data = weights[name]
        return loss.item(), [parameter.grad.clone() for parameter in trained.parameters()]

    expected_loss, expected = gradients()
    copies = CountedCopies()
    with stream(dit, "cpu", resident=resident, copy_stream=copies) as blocks, blocks.preparing():
        loss, found = gradients(run=streamed_blocks(blocks))
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)
    assert copies.count <= 2 * len(dit.layers) + 4


def trained(folder, stream, stop=None):
    """Losses, held-out losses and previews of a run with so many streamed layers, up to a step."""
    config = LoraConfig(model="nano", data=Path("x"), out=Path("y.safetensors"), rank=2, stream=stream)
    latent = torch.randn(16, 8, 8, generator=torch.Generator().manual_seed(1))
    example = EncodedExample(EncodedPicture(latent, torch.full_like(latent, -3.0)), (torch.ones(20, 48),))
    drawn = []
    preset = Preset(steps=2, shift=3.0, solver="euler", cfg=1.0)
    previews = Previews(
        prompts=Prompts([torch.ones(20, 48)], torch.zeros(5, 48), (8, 8)),
        preset=preset,
        every=3,
        decode=lambda latent: drawn.append(latent.clone()) or Image.new("RGB", (8, 8)),
    )
    dit = tiny.dit()
    lora, found = trainable_of(dit, config), []
    with placed(dit, config, torch.device("cpu")) as run:
        assert (run is None) == (stream == 0)
        for progress in train_examples(
            dit,
            lora,
            TrainingSet(examples=[example], no_caption=torch.zeros(5, 48)),
            FlowMatching(),
            Recipe(steps=6, lr=1e-2, warmup_steps=1),
            folder,
            validated=[example],
            watch=Watch(previews=previews),
            run=run,
        ):
            found += [progress.loss, progress.validation]
            if progress.step + 1 == stop:
                break
    return found, drawn, [each.detach().clone() for each in lora.parameters()]


def test_a_run_ends_alike_whether_its_layers_stream_or_not_and_goes_on_either_way(tmp_path):
    expected, expected_pictures, whole = trained(tmp_path / "whole", 0)
    first, first_pictures, _ = trained(tmp_path / "parts", 2, stop=3)
    then, then_pictures, _ = trained(tmp_path / "parts", 1, stop=4)
    last, last_pictures, parameters = trained(tmp_path / "parts", 0)
    assert first + then + last == pytest.approx(expected, rel=1e-5)
    pictures = [*first_pictures, *then_pictures, *last_pictures]
    for found, wanted in zip([*pictures, *parameters], [*expected_pictures, *whole], strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


def test_more_layers_than_there_are_cannot_stream():
    config = LoraConfig(model="nano", data=Path("x"), out=Path("y.safetensors"), stream=3)
    with (
        pytest.raises(ValueError, match="more than the model's 2 layers"),
        placed(tiny.dit(), config, torch.device("cpu")),
    ):
        pass
