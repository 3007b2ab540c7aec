"""Models merged file to file: neutral weights to the bit, by blocks, from every layout, never a model in memory."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import loras
import tiny
from memory import peak_bytes
from zimage_core.checkpoints import DIT_DIFFUSERS, inspect, load_dit
from zimage_core.merging import (
    Merge,
    Method,
    Source,
    describe_merge,
    merge_metadata,
    merge_of,
    open_merge,
    parse_source,
    write_merged_model,
)
from zimage_core.model import S3DiT

State = dict[str, Tensor]
SUM = Method()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tiny models in bfloat16, and a LoRA."""
    made = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("base", "one", "two")):
        save_file(state_of(tiny.dit(seed)), made / f"{name}.safetensors")
    save_file(loras.plain_families(loras.pairs(tiny.DIT))["musubi"][0], made / "lora.safetensors")
    return made


def state_of(network: S3DiT) -> State:
    return {name: tensor.bfloat16() for name, tensor in network.state_dict().items()}


def merged(folder: Path, *written: str, base: str | None = "base", method: Method = SUM, out: str = "out") -> State:
    """The file of a merge, by names without endings ("one:0.5")."""
    made, file = merge(folder, *written, base=base, method=method), folder / f"{out}.safetensors"
    write_merged_model(open_merge(made), file, merge_metadata(made, "merged"), lambda name: None)
    return load_file(file)


def merge(folder: Path, *written: str, base: str | None = None, method: Method = SUM) -> Merge:
    """A merge of files by names without endings."""
    named = [re.sub(r"^\w+", lambda name: f"{folder / name[0]}.safetensors", each) for each in written]
    base_file = folder / f"{base}.safetensors" if base else None
    return Merge(sources=tuple(map(parse_source, named)), base=base_file, method=method)


def assert_equal(found: State, wanted: State) -> None:
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(found[name], wanted[name])] == []


def test_equal_models_whose_weights_sum_to_one_are_that_model(folder: Path) -> None:
    whole = load_file(folder / "one.safetensors")
    assert_equal(merged(folder, "one:0.3", "one:0.5", "one:0.2", base=None), whole)
    assert_equal(merged(folder, "one", "one", "one", base=None), whole)


def test_weight_one_is_the_fine_tune_and_weight_nought_the_base(folder: Path) -> None:
    assert_equal(merged(folder, "one:1"), load_file(folder / "one.safetensors"))
    assert_equal(merged(folder, "one:0", "lora:0"), load_file(folder / "base.safetensors"))
    assert_equal(merged(folder, "one:0", method=Method("ties", 0.2)), load_file(folder / "base.safetensors"))


def test_a_weighted_sum_by_blocks_is_what_the_formula_says(folder: Path) -> None:
    found = merged(folder, "one:0.5 blocks 1=0.5 noise_refiner=0", "two:-0.25")
    base, one, two = (load_file(folder / f"{name}.safetensors") for name in ("base", "one", "two"))
    for name, tensor in found.items():
        weight = 0.25 if name.startswith("layers.1.") else 0.0 if name.startswith("noise_refiner.") else 0.5
        b, x, y = (state[name].double() for state in (base, one, two))
        torch.testing.assert_close(tensor, (b + weight * (x - b) - 0.25 * (y - b)).bfloat16(), rtol=0, atol=0)


def test_a_lora_is_added_as_its_matrices_say(folder: Path) -> None:
    found, base = merged(folder, "lora:0.5"), load_file(folder / "base.safetensors")
    change = loras.expected(tiny.DIT, loras.pairs(tiny.DIT), 2.0 / loras.RANK)
    for name, tensor in found.items():
        wanted = base[name].float() + 0.5 * change.get(name, torch.zeros(()))
        torch.testing.assert_close(tensor.float(), wanted, rtol=2**-8, atol=1e-6)  # bfloat16's rounding
    assert_equal(merged(folder, "one:1", "lora:0.5", base=None), merged(folder, "lora:0.5", base="one"))


def test_diffusers_names_and_shards_give_the_same_file(folder: Path, tmp_path: Path) -> None:
    for name in ("base", "one"):
        state = DIT_DIFFUSERS.to_file(load_file(folder / f"{name}.safetensors"))
        keys = sorted(state)
        (tmp_path / name).mkdir()
        shards = {"a.safetensors": keys[::2], "b.safetensors": keys[1::2]}
        for shard, inside in shards.items():
            save_file({key: state[key].contiguous() for key in inside}, tmp_path / name / shard)
        weight_map = {key: shard for shard, inside in shards.items() for key in inside}
        (tmp_path / name / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    made = Merge(sources=(parse_source(f"{tmp_path / 'one'}:0.4"),), base=tmp_path / "base")
    write_merged_model(open_merge(made), tmp_path / "out.safetensors", {}, lambda name: None)
    assert_equal(load_file(tmp_path / "out.safetensors"), merged(folder, "one:0.4"))


def test_each_parameter_keeps_its_type_unless_another_is_wanted(folder: Path, tmp_path: Path) -> None:
    base = load_file(folder / "base.safetensors")
    base["layers.0.attention.q_norm.weight"] = base["layers.0.attention.q_norm.weight"].float()
    save_file(base, tmp_path / "base.safetensors")
    opened = open_merge(Merge(sources=(Source(folder / "one.safetensors"),), base=tmp_path / "base.safetensors"))
    write_merged_model(opened, tmp_path / "own.safetensors", {}, lambda name: None)
    write_merged_model(opened, tmp_path / "wide.safetensors", {}, lambda name: None, torch.float32)
    assert {name: each.dtype for name, each in load_file(tmp_path / "own.safetensors").items()} == {
        name: each.dtype for name, each in base.items()
    }
    assert {each.dtype for each in load_file(tmp_path / "wide.safetensors").values()} == {torch.float32}


def test_an_eight_bit_fine_tune_is_unpacked_with_a_word(folder: Path, tmp_path: Path) -> None:
    one = {name: each.to(torch.float8_e4m3fn) for name, each in load_file(folder / "one.safetensors").items()}
    save_file(one, tmp_path / "eight.safetensors")
    eight = Source(tmp_path / "eight.safetensors")
    opened = open_merge(Merge(sources=(eight,), base=folder / "base.safetensors"))
    assert "eight.safetensors is quantised" in opened.notes[0]
    name = "layers.0.feed_forward.w1.weight"
    assert torch.equal(opened.merged(name), one[name].bfloat16())


def test_no_model_is_ever_in_memory(tmp_path: Path) -> None:
    """New bytes at their peak do not grow with the layers, and are a few of the largest parameter."""
    peaks: list[int] = []
    for n_layers in (2, 8):
        config = replace(tiny.DIT, n_layers=n_layers)
        for seed, name in enumerate(("base", "one", "two")):
            network = tiny.fill(S3DiT(config), seed)
            save_file(dict(network.state_dict()), tmp_path / f"{name}.safetensors")
        opened = open_merge(merge(tmp_path, "one:0.5", "two:0.5", base="base", method=Method("ties", 0.2)))
        write = partial(write_merged_model, opened, tmp_path / "out.safetensors", {}, lambda name: None)
        peaks.append(peak_bytes(write))
        largest = max(each.numel() for each in network.state_dict().values())
    assert peaks[0] == peaks[1] <= 11 * 8 * largest  # of TIES over two fine-tunes, in float64


def test_the_file_tells_how_it_was_made_and_loads(folder: Path) -> None:
    merged(folder, "one:0.5 blocks 0=0", "lora:0.8", method=Method("dare", 0.5, 7), out="told")
    with safe_open(folder / "told.safetensors", framework="pt") as opened:
        made = merge_of(opened.metadata())
    assert made is not None and made.method == Method("dare", 0.5, 7) and made.base == Path("base.safetensors")
    assert [(each.file.name, str(each.weight)) for each in made.sources] == [
        ("one.safetensors", "0.5 blocks 0=0"),
        ("lora.safetensors", "0.8"),
    ]
    assert describe_merge(made).splitlines() == [
        "Merged over base.safetensors: DARE, density 0.5, seed 7",
        "Merged in: one.safetensors, weight 0.5 blocks 0=0",
        "Merged in: lora.safetensors, weight 0.8",
    ]
    assert merge_of({}) is None and merge_of({"zimage.merge": "[]"}) is None
    assert inspect(folder / "told.safetensors").what == "a Z-Image diffusion model"
    assert load_dit(folder / "told.safetensors").config == tiny.DIT


def test_an_interrupt_leaves_nothing_and_an_old_file_as_it_was(folder: Path, tmp_path: Path) -> None:
    out, opened = tmp_path / "out.safetensors", open_merge(Merge(sources=(Source(folder / "one.safetensors"),)))
    out.write_text("old")

    def interrupt(name: str) -> None:
        if name.startswith("layers.1."):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_merged_model(opened, out, {}, interrupt)
    assert [each.name for each in tmp_path.iterdir()] == ["out.safetensors"] and out.read_text() == "old"


REFUSED: dict[str, tuple[Callable[[Path], Merge], str]] = {
    "sum": (lambda at: merge(at, "one:0.3", "two:0.3"), "sum to 0.6"),
    "blocks": (lambda at: merge(at, "one:0.5 blocks 0=0", "two:0.5"), "sum to 0.5 in layers.0"),
    "not a number": (lambda at: merge(at, "one:half"), "one.safetensors: the strength is 'half', not a number"),
    "steps": (lambda at: merge(at, "one:0.5 @ 0-0.5"), "the same at all steps"),
    "loras": (lambda at: merge(at, "lora"), "LoRAs alone make no model"),
    "a lora as base": (lambda at: merge(at, "one", base="lora"), "lora.safetensors is .*LoRA"),
    "ties": (lambda at: merge(at, "one", "two", method=Method("ties")), "name it as the base"),
    "nothing": (lambda at: merge(at), "nothing to merge"),
    "missing": (lambda at: merge(at, "damaged", base="base"), "damaged.safetensors does not fit.*1 missing"),
    "another": (
        lambda at: merge(at, "deep", base="base"),
        "deep.safetensors \\(3 layers of width 64\\) is not",
    ),
    "infinite": (lambda at: merge(at, "infinite", base="base"), "infinite.safetensors holds numbers that"),
    "absent": (lambda at: merge(at, "absent"), "no file at"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_merged_is_refused_in_one_sentence(folder: Path, case: str) -> None:
    one = load_file(folder / "one.safetensors")
    save_file({name: each for name, each in one.items() if name != "x_embedder.bias"}, folder / "damaged.safetensors")
    save_file({**one, "x_pad_token": one["x_pad_token"] * torch.inf}, folder / "infinite.safetensors")
    deep = tiny.fill(S3DiT(replace(tiny.DIT, n_layers=3)))
    save_file(dict(deep.state_dict()), folder / "deep.safetensors")
    make, sentence = REFUSED[case]
    with pytest.raises((ValueError, FileNotFoundError), match=sentence) as refused:
        write_merged_model(open_merge(make(folder)), folder / "no.safetensors", {}, lambda name: None)
    assert "\n" not in str(refused.value) and not (folder / "no.safetensors").exists()
