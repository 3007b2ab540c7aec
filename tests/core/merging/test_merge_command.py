"""`zimage merge` as a script sees it: which file is written for what, and which sentence refuses what."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import loras
import tiny
from zimage_core.adapters import LowRank
from zimage_core.checkpoints import DIT, load_dit, read_lora
from zimage_core.cli import INTERRUPTED, main
from zimage_core.commands import merging_run
from zimage_core.nano.files import file_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(("base", "one")):
        save_file(dict(tiny.dit(seed).state_dict()), tmp_path / f"{name}.safetensors")
    for seed in (0, 1):
        state = loras.plain_families(loras.pairs(tiny.DIT, seed))["diffusers"][0]
        save_file(state, tmp_path / f"lora{seed}.safetensors")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert main(["merge", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    try:
        status = main(["merge", *map(str, arguments)])
    except SystemExit as stop:
        status = int(stop.code or 0)
    printed = capsys.readouterr()
    assert status in (1, 2) and printed.out == "" and len(printed.err.splitlines()) == 1
    return printed.err


def test_a_difference_as_a_lora_over_the_base_is_the_fine_tune_again(folder: Path, capsys: Any) -> None:
    base, one, lora, again = (folder / f"{name}.safetensors" for name in ("base", "one", "lora", "again"))
    result = told(capsys, one, "--base", base, "--rank", 256, "--dtype", "float32", "--out", lora)
    assert result["kind"] == "LoRA" and result["share"] == 1.0
    told(capsys, base, lora, "--out", again)
    wanted = load_file(one)
    for name, each in load_file(again).items():
        torch.testing.assert_close(each, wanted[name], rtol=0, atol=2e-5)


def test_loras_alone_become_one_of_fewer_ranks(folder: Path, capsys: Any) -> None:
    out = folder / "both.safetensors"
    files = f"{folder / 'lora0.safetensors'}:0.5", f"{folder / 'lora1.safetensors'}:0.5"
    assert told(capsys, *files, "--out", out)["rank"] == 2 * loras.RANK
    assert told(capsys, *files, "--out", out, "--rank", 3)["rank"] == 3
    parts = [each for each in read_lora(out).deltas.values() if isinstance(each, LowRank)]
    assert parts and max(each.rank for each in parts) <= 9 and {each.up.dtype for each in parts} == {torch.bfloat16}


def test_nano_takes_a_lora_and_loads(tmp_path: Path, capsys: Any) -> None:
    weight = load_dit(file_of(DIT)).layers[0].attention.out.weight
    name, out = "diffusion_model.layers.0.attention.out", tmp_path / "out.safetensors"
    up, down = torch.ones(len(weight), 1), torch.ones(1, weight.shape[1]) * 0.01
    save_file({f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}, tmp_path / "lora.safetensors")
    told(capsys, "nano", f"{tmp_path / 'lora.safetensors'}:0.5", "--dtype", "float32", "--out", out)
    found = load_dit(out).layers[0].attention.out.weight
    torch.testing.assert_close(found, weight.float() + 0.005, rtol=2**-8, atol=2**-8)


def test_an_interrupt_leaves_nothing(folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting(merging_run.tqdm):
        def update(self, n: float | None = 1) -> bool | None:
            if self.n == 20:
                raise KeyboardInterrupt
            return super().update(n)

    monkeypatch.setattr(merging_run, "tqdm", Interrupting)
    before = sorted(folder.iterdir())
    out = folder / "out.safetensors"
    assert main(["merge", str(folder / "one.safetensors"), "--out", str(out)]) == INTERRUPTED
    assert sorted(folder.iterdir()) == before


def test_what_cannot_be_merged_is_refused_in_a_sentence(folder: Path, capsys: Any) -> None:
    one, out = folder / "one.safetensors", folder / "out.safetensors"
    assert "one of the files that are merged" in refusal(capsys, one, "--out", one)
    assert "one of the files that are merged" in refusal(capsys, "nano", "--out", file_of(DIT))
    assert "models are saved as .safetensors" in refusal(capsys, one, "--out", folder / "out.ckpt")
    assert "'much', not a number" in refusal(capsys, f"{one}:much", "--out", out)
    assert "name it as the base" in refusal(capsys, one, "--method", "ties", "--out", out)
    lora = folder / "lora0.safetensors"
    assert "needs the model" in refusal(capsys, lora, lora, "--method", "dare", "--out", out)
    assert "2 is not a number above 0 and up to 1" in refusal(capsys, one, "--density", 2, "--out", out).replace(
        "'", ""
    )
    assert "no file at" in refusal(capsys, folder / "gone.safetensors", "--out", out)
    assert not out.exists()


def test_a_search_finds_the_better_model_keeps_pictures_and_goes_on(tmp_path: Path, capsys: Any) -> None:
    """Nano against nano whose last layer says nothing: only weights near 0 draw what is asked for."""
    state = dict(load_dit(file_of(DIT)).bfloat16().state_dict())
    state["final_layer.linear.weight"] = torch.zeros_like(state["final_layer.linear.weight"])
    save_file(state, tmp_path / "blank.safetensors")
    (tmp_path / "prompts.txt").write_text("a large red heart in the middle on a white background\n")
    out, pictures = tmp_path / "best.safetensors", tmp_path / "best.search"
    command = (tmp_path / "blank.safetensors", "--base", "nano", "--out", out, "--search", "--groups", "rest")
    asked = ("--prompts", tmp_path / "prompts.txt", "--seeds", 1, "--steps", 4)
    assert told(capsys, *command, *asked, "--budget", 3)["value"] == 1.0
    first = {each: each.stat().st_mtime_ns for each in pictures.glob("point-*/*.png")}
    result = told(capsys, *command, *asked, "--budget", 4)
    assert result["weights"] == {"blank.safetensors": "1 blocks rest=0"} and result["points"] == 4
    assert len(first) == 3 and all(each.stat().st_mtime_ns == time for each, time in first.items())
    assert torch.equal(load_file(out)["x_embedder.weight"], state["x_embedder.weight"])
    assert "holds another search" in refusal(capsys, *command, *asked, "--seeds", 2)
    assert "give --prompts" in refusal(capsys, *command)
    assert "no score beauty" in refusal(capsys, *command, *asked, "--score", "beauty")
