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


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_with_the_same_file(data, tmp_path, capsys):
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    curve = tmp_path / "killed.training" / "curve.jsonl"
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        [sys.executable, "-m", "zimage_core", *command(data, killed)], env=environment, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and not (curve.exists() and len(curve.read_text().splitlines()) > 2):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    assert main(command(data, killed, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 8
    assert main(command(data, whole)) == 0
    with safe_open(whole, "pt") as expected, safe_open(killed, "pt") as found:
        assert found.keys() == expected.keys()
        assert all(torch.equal(found.get_tensor(key), expected.get_tensor(key)) for key in expected.keys())  # noqa: SIM118
    assert curve.read_text() == (tmp_path / "whole.training" / "curve.jsonl").read_text()
    lora = read_lora(whole)
    assert not lora.unmatched and lora.metadata["modelspec.trigger_phrase"] == "zorp"
    assert lora.metadata["ss_network_dim"] == "2" and json.loads(lora.metadata["zimage.recipe"])["steps"] == 8
    assert {path.name for path in tmp_path.iterdir()} == {
        *("data", "whole.safetensors", "killed.safetensors", "whole.training", "killed.training")
    }


def test_what_cannot_be_trained_is_refused_in_a_sentence(data, tmp_path, capsys):
    out = tmp_path / "x.safetensors"
    assert "LoRAs are saved as .safetensors" in refusal(capsys, *command(data, tmp_path / "x.pt"))
    assert "there is no folder" in refusal(capsys, *command(tmp_path / "gone", out))
    (data / "b.txt").unlink()
    assert "1 of 3 pictures" in refusal(capsys, *command(data, out))
    turbo = command(data, out)
    (tmp_path / "Z-Image-Turbo").mkdir()
    turbo[turbo.index("nano")] = str(tmp_path / "Z-Image-Turbo")
    assert "loses its 8 steps" in refusal(capsys, *turbo)
    assert not out.exists() and not out.with_suffix(".training").exists()
