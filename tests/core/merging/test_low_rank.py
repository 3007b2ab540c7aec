"""LoRAs out of differences, of fewer ranks and summed, against definitions and numpy's singular values."""

from pathlib import Path

import numpy
import pytest
import torch
from safetensors.torch import save_file

import loras
import tiny
from zimage_core.adapters import FullDifference, LoKr, Lora, LowRank, SetWeight, Target, inject
from zimage_core.checkpoints import read_lora, save_lora
from zimage_core.merging import Merge, Source, approximate, extracted, open_merge, parse_source, reduced, summed

RANK = loras.RANK


def changes(lora: Lora) -> dict[str, torch.Tensor]:
    """What a LoRA adds to a network of noughts, by parameter."""
    network = tiny.dit()
    for parameter in network.parameters():
        parameter.zero_()
    inject(network, [(lora, 1.0)])
    return {name: each for name, each in network.state_dict().items() if each.any()}


def random_lora(seed: int, family: str = "diffusers") -> Lora:
    return read_lora(loras.plain_families(loras.pairs(tiny.DIT, seed))[family][0])


def test_a_difference_of_a_rank_is_returned_by_its_extraction(tmp_path: Path) -> None:
    base = tiny.dit().state_dict()
    drawn, _ = loras.fused(tiny.DIT, 3)  # rank 4 on the fused matrix
    lora = read_lora(loras.keyed(drawn, lambda name: "diffusion_model." + name, loras.A, loras.B))
    tuned = {name: each.clone() for name, each in base.items()}
    for name, change in changes(lora).items():
        tuned[name] += change
    norm, pad = "layers.0.attention_norm1.weight", "x_pad_token"
    tuned[norm], tuned[pad] = tuned[norm] + 0.1, tuned[pad] - 0.1
    save_file(dict(base), tmp_path / "base.safetensors")
    save_file(tuned, tmp_path / "tuned.safetensors")
    merge = Merge(sources=(Source(tmp_path / "tuned.safetensors"),), base=tmp_path / "base.safetensors")
    found = extracted(open_merge(merge), RANK, "out", lambda name: None)
    assert found.share == pytest.approx(1, abs=1e-6)
    save_lora(found.lora, tmp_path / "lora.safetensors", "ComfyUI")
    network = tiny.dit()
    inject(network, [(read_lora(tmp_path / "lora.safetensors"), 1.0)])
    for name, each in network.state_dict().items():
        torch.testing.assert_close(each, tuned[name], rtol=0, atol=1e-5)
    assert all(
        isinstance(each, LowRank) and each.rank == RANK
        for each in found.lora.deltas.values()
        if len(each.shape) > 1 and each.shape[0] > 1
    )


def test_fewer_ranks_leave_the_least_error_and_the_share_says_it(tmp_path: Path) -> None:
    matrix = torch.randn(60, 90, generator=torch.Generator().manual_seed(0))
    singular = numpy.linalg.svd(matrix.numpy(), compute_uv=False)
    for rank in (1, 7, 40):
        error = (matrix - approximate(matrix, rank).matrix()).square().sum()
        least = (singular[rank:] ** 2).sum()
        assert least * (1 - 1e-5) <= error <= least * 1.02  # a flat spectrum: the worst there is for random projection


def test_a_lora_of_fewer_ranks_is_the_nearest_and_of_as_many_itself() -> None:
    lora = random_lora(1)
    assert reduced(lora, RANK).deltas == lora.deltas
    target = Target("layers.0.feed_forward.w1.weight")
    before, after = lora.deltas[target], reduced(lora, 2).deltas[target]
    assert isinstance(before, LowRank) and isinstance(after, LowRank) and after.rank == 2
    singular = numpy.linalg.svd(before.matrix().numpy(), compute_uv=False)
    error = (before.matrix() - after.matrix()).square().sum().sqrt()
    assert float(error) == pytest.approx(float(numpy.sqrt((singular[2:] ** 2).sum())), rel=1e-4)


def test_a_sum_of_loras_is_the_sum_of_their_changes_whatever_their_names() -> None:
    apart, fused = (
        random_lora(1),
        read_lora(loras.keyed(loras.fused(tiny.DIT, 2)[0], lambda name: "diffusion_model." + name, loras.A, loras.B)),
    )
    sources = [parse_source("a.safetensors:0.5 blocks 1=0"), parse_source("b.safetensors:-0.8")]
    total = summed(list(zip(sources, (apart, fused), strict=True)), "both")
    one, two, found = changes(apart), changes(fused), changes(total)
    for name in one.keys() | two.keys():
        first = 0.0 if name.startswith("layers.1.") else 0.5
        wanted = first * one[name] - 0.8 * two[name]
        torch.testing.assert_close(found[name], wanted, rtol=1e-4, atol=1e-6)


def test_other_kinds_become_a_lora_or_are_refused() -> None:
    target = Target("layers.0.attention.out.weight")
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(8, 1, generator=generator), torch.randn(8, 64, generator=generator)
    kronecker = Lora(file="kron", family="", deltas={target: LoKr(w1=(factors[0],), w2=(factors[1],))})
    low_rank = reduced(kronecker, 8).deltas[target]
    torch.testing.assert_close(low_rank.matrix(), torch.kron(*factors), rtol=1e-4, atol=1e-5)
    norm = Lora(
        file="norm", family="", deltas={Target("layers.0.attention_norm1.weight"): FullDifference(diff=torch.ones(64))}
    )
    assert reduced(norm, 1).deltas == norm.deltas
    whole = Lora(file="set", family="", deltas={target: SetWeight(value=torch.ones(64, 64))})
    for make in (lambda: reduced(whole, 1), lambda: summed([(parse_source("a"), whole)], "out")):
        with pytest.raises(ValueError, match="set holds a replacement, whose change depends on the model's weight"):
            make()
    with pytest.raises(ValueError, match="every weight is 0"):
        summed([(parse_source("a:0"), norm)], "out")
