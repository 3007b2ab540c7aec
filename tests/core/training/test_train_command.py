"""`zimage train lora` as a script sees it: what is written where, what a kill leaves, which sentence refuses what."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from PIL import Image
from safetensors import safe_open

from paths import REPOSITORY
from zimage_core.checkpoints import read_lora
from zimage_core.cli import main
from zimage_core.nano.files import FOLDER


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name, colour in (("a", "red"), ("b", "blue"), ("c", "green")):
        Image.new("RGB", (40, 32), colour).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(f"a {colour} zorp")
    return folder


def command(data, out, *more, steps=8):
    return [
        *("train", "lora", "--model", "nano", "--data", str(data), "--out", str(out), "--steps", str(steps)),
        *("--rank", "2", "--side", "32", "--lr", "0.01", "--trigger", "zorp", *more),
    ]


def refusal(capsys, *arguments):
    try:
        status = main([str(each) for each in arguments])
    except SystemExit as stop:
        status = stop.code
    printed = capsys.readouterr()
    assert status in (1, 2) and printed.out == "" and len(printed.err.splitlines()) == 1
    return printed.err


def kill_in_the_middle(arguments, curve):
    """With as many threads as here, set in the same way, as MKL's last bits depend on both."""
    threads = f"import torch; torch.set_num_threads({torch.get_num_threads()})"
    run = f"from zimage_core.cli import main; main({arguments!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{threads}; {run}"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not (curve.exists() and len(curve.read_text().splitlines()) > 2):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def assert_equal_tensors(one, other):
    with safe_open(one, "pt") as expected, safe_open(other, "pt") as found:
        assert found.keys() == expected.keys()
        assert all(torch.equal(found.get_tensor(key), expected.get_tensor(key)) for key in expected.keys())  # noqa: SIM118


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_with_the_same_file(data, tmp_path, capsys):
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    curve = tmp_path / "killed.training" / "curve.jsonl"
    kill_in_the_middle(command(data, killed), curve)
    assert not killed.exists()
    assert main(command(data, killed, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 8
    assert main(command(data, whole)) == 0
    assert_equal_tensors(whole, killed)
    assert curve.read_text() == (tmp_path / "whole.training" / "curve.jsonl").read_text()
    lora = read_lora(whole)
    assert not lora.unmatched and lora.metadata["modelspec.trigger_phrase"] == "zorp"
    assert lora.metadata["ss_network_dim"] == "2" and json.loads(lora.metadata["zimage.recipe"])["steps"] == 8
    assert {path.name for path in tmp_path.iterdir()} == {
        *("data", "whole.safetensors", "killed.safetensors", "whole.training", "killed.training")
    }


MIXED = """
train = "lora"
model = "nano"
rank = 2
side = 32
lr = 0.01
batch = 2
"""


@pytest.mark.slow
def test_a_killed_recipe_of_two_folders_goes_on_with_resume_and_ends_with_the_same_file(data, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    for name in ("source", "target"):
        Image.new("RGB", (32, 32), "red").save(other / f"x.{name}.png")
    (other / "x.txt").write_text("keep it")
    recipe = tmp_path / "mixed.toml"
    recipe.write_text(f'{MIXED}data = [{{folder = "{data}", weight = 4}}, {{folder = "{other}", shift = 2}}]')
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    curve = tmp_path / "killed.training" / "curve.jsonl"
    asked = ["train", str(recipe), "--steps", "8", "--out"]
    kill_in_the_middle([*asked, str(killed)], curve)
    assert "say --resume to go on with it" in refusal(capsys, *asked, killed)
    assert main([*asked, str(killed), "--resume"]) == main([*asked, str(whole)]) == 0
    assert_equal_tensors(whole, killed)
    assert curve.read_text() == (tmp_path / "whole.training" / "curve.jsonl").read_text()


def test_what_cannot_be_trained_is_refused_in_a_sentence(data, tmp_path, capsys):
    out = tmp_path / "x.safetensors"
    assert "LoRAs are saved as .safetensors" in refusal(capsys, *command(data, tmp_path / "x.pt"))
    assert "there is no folder" in refusal(capsys, *command(tmp_path / "gone", out))
    assert "nano:scnees is no set that is drawn here: choose nano:zorps" in refusal(
        capsys, *command("nano:scnees", out)
    )
    # before anything is encoded, and without a line on memory that would mean nothing
    assert "stream = 7 is more than the model's 6 layers" in refusal(capsys, *command(data, out, "--stream", "7"))
    (data / "b.txt").unlink()
    assert "1 of 3 pictures" in refusal(capsys, *command(data, out))
    turbo = command(data, out)
    (tmp_path / "Z-Image-Turbo").mkdir()
    turbo[turbo.index("nano")] = str(tmp_path / "Z-Image-Turbo")
    assert "loses its 8 steps" in refusal(capsys, *turbo)
    for name in ("a", "c"):  # an edit by an Omni model whose vision encoder is not there
        (data / f"{name}.png").rename(data / f"{name}.target.png")
        Image.new("RGB", (40, 32)).save(data / f"{name}.source.png")
    (data / "b.png").unlink()
    (tmp_path / "omni").mkdir()
    for part in ("transformer", "text_encoder", "vae", "tokenizer"):
        (tmp_path / "omni" / part).symlink_to(FOLDER / part)
    blind = command(data, out)
    blind[blind.index("nano")] = str(tmp_path / "omni")
    assert "and its folder siglip is missing: put the vision encoder" in refusal(capsys, *blind)
    assert not out.exists() and not out.with_suffix(".training").exists()
