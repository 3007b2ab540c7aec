"""A LoRA on a base whose blocks are on the device only while they run has the gradients of one that is there whole."""

import pytest
import torch

import tiny
from zimage_core.runtime.offload.copy_streams import SynchronousCopies
from zimage_core.runtime.offload.streaming import stream
from zimage_core.training.loop.micro_batches import Noised
from zimage_core.training.objectives.noised import losses_of
from zimage_core.training.objectives.streamed_blocks import streamed_blocks
from zimage_core.training.trainables import KINDS, LoraTrainable


class CountedCopies(SynchronousCopies):
    """How many blocks were copied."""

    count = 0

    def fill(self, slot, copies):
        self.count += 1
        super().fill(slot, copies)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("resident", [0, 1])
def test_a_streamed_base_has_the_gradients_of_a_resident_one(generator, kind, resident):
    dit = tiny.dit()
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
                        weight.data = torch.full_like(weight, torch.nan)
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
