"""The command line, as a script sees it: exit status, what is printed where, which files are there afterwards."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from zimage_core import generate
from zimage_core.cli import main
from zimage_core.commands.files import open_picture, save_picture
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import Scene
from zimage_core.nano.files import FOLDER, TOKENIZER
from zimage_core.nano.judging.checker import check

PROMPT = "a large red heart in the middle on a white background"
HEART = Scene(shape="heart", colour="red", size="large", row="middle", column="middle", ground="white")
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "picture.png"


def run(capsys, *arguments):
    """Exit status, stdout and stderr."""
    try:
        status = main([str(each) for each in arguments])
    except SystemExit as stop:
        status = stop.code
    return status, *capsys.readouterr()


def generating(out, *arguments):
    return ("generate", PROMPT, "--model", "nano", "--device", "cpu", "--out", out, *arguments)


def only_file(out):
    return [file.name for file in out.parent.iterdir()] == [out.name]


def pixels(file):
    with Image.open(file) as image:
        return image.tobytes()


@pytest.mark.slow
def test_a_prompt_becomes_the_picture_that_python_gets_and_nothing_else_is_written(capsys, out):
    status, told, progress = run(capsys, *generating(out, "--seed", 0))
    assert status == 0 and only_file(out) and "20/20" in progress
    assert told.startswith(f"{out}: seed 0, 20 steps, 40 network calls, ") and told.count("\n") == 1
    assert pixels(out) == generate(PROMPT)[0].tobytes()
    assert all(asdict(check(Image.open(out), HEART)).values())


@pytest.mark.slow
def test_the_result_as_json_is_the_only_thing_on_stdout(capsys, out):
    status, told, _ = run(capsys, *generating(out, "--steps", 3, "--seed", 7, "--memory-limit", 2, "--json"))
    result = json.loads(told)
    assert status == 0 and result.pop("seconds") > 0
    plan = "plan: fp32, all 6 blocks resident, text encoder on CPU, autoencoder whole, expected peak"
    assert result.pop("plan").startswith(plan)
    assert result == {"file": str(out), "seed": 7, "steps": 3, "nfe": 6}
    assert pixels(out) == generate(PROMPT, steps=3, seed=7)[0].tobytes()


@pytest.mark.slow
def test_every_option_reaches_the_picture(capsys, out, tmp_path):
    reference = render(HEART, 5)
    reference.save(tmp_path / "reference.png")
    words = ["--negative", "blue", "--size", "96x64", "--steps", 2, "--reference", tmp_path / "reference.png"]
    assert run(capsys, *generating(out, *words))[0] == 0
    expected = generate(PROMPT, negative_prompt="blue", size=(96, 64), steps=2, references=[reference])[0]
    assert expected.size == (96, 64) and pixels(out) == expected.tobytes()


def write_lora(file, width=None):
    """A LoRA of rank 2 for nano's first output projection."""
    from zimage_core.checkpoints import load_dit

    weight = load_dit(FOLDER / "transformer").layers[0].attention.out.weight
    height, inside = weight.shape
    generator = torch.Generator().manual_seed(0)
    down, up = torch.randn(2, width or inside, generator=generator), torch.randn(height, 2, generator=generator)
    name = "diffusion_model.layers.0.attention.out"
    save_file({f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}, file)
    return file


@pytest.mark.slow
def test_a_lora_changes_the_picture_by_its_strength(capsys, out, tmp_path):
    file = write_lora(tmp_path / "style.safetensors")
    found = {}
    for strength in (":0", ":0.05", ""):
        assert run(capsys, *generating(out, "--steps", 2, "--lora", f"{file}{strength}"))[0] == 0
        found[strength] = pixels(out)
    assert found[":0"] == generate(PROMPT, steps=2)[0].tobytes()
    assert found[":0.05"] == generate(PROMPT, steps=2, loras=[(file, 0.05)])[0].tobytes()
    assert len(set(found.values())) == 3


WRONG = [
    (("--steps", "0"), 2, "'0' is not a whole number from 1 to 1000"),
    (("--steps", "1e3"), 2, "'1e3' is not a whole number"),
    (("--seed", "-1"), 2, "'-1' is not a whole number from 0"),
    (("--seed", "9" * 400), 2, "is not a whole number"),
    (("--size", "100x100"), 2, "'100x100' is not WIDTHxHEIGHT"),
    (("--size", "99984x16"), 2, "up to 8192"),
    (("--memory-limit", "nan"), 2, "'nan' is not a number above 0"),
    (("--memory-limit", "-1"), 2, "'-1' is not a number above 0"),
    (("--memory-limit", "inf"), 2, "'inf' is not a number above 0"),
    (("--lora", "style.safetensors:nan"), 2, "'nan' is no strength"),
    (("--unknown",), 2, "unrecognized arguments: --unknown"),
    (("--mem", "1"), 2, "unrecognized arguments: --mem 1"),
    (("--memory-limit", "0.0001"), 1, "may be used: choose a smaller picture"),
    (("--allow", "int8"), 1, "--allow is for --memory-limit"),
    (("--device", "gpu"), 1, "there is no device gpu here"),
    (("--device", "meta"), 1, "meta is no device to run on"),
    (("--lora", "nothing.safetensors:0.5"), 1, "no file at nothing.safetensors"),
    (("--reference", "nothing.png"), 1, "nothing.png: No such file"),
    (("--reference", __file__), 1, "cannot be read as a picture"),
    (("--model", "nothing"), 1, "there is no model folder nothing"),
    (("--out", "nothing/picture.png"), 1, "there is no folder nothing"),
    (("--out", "picture.jpeg"), 1, "pictures are saved as .png"),
]


@pytest.mark.parametrize("words, status, told", WRONG, ids=[each[2][:30] for each in WRONG])
def test_what_is_wrong_is_said_in_one_sentence(capsys, out, words, status, told):
    found, result, sentence = run(capsys, *generating(out, *words))
    assert (found, result) == (status, "") and sentence.startswith("zimage")
    assert told in sentence and sentence.count("\n") == 1 and sentence.endswith("\n")
    assert not list(out.parent.iterdir())


def test_files_that_do_not_fit_are_refused_by_name(capsys, out, tmp_path):
    wrong = write_lora(tmp_path / "wide.safetensors", width=3)
    (tmp_path / "broken.safetensors").write_bytes(b"no header")
    for file in (wrong, tmp_path / "broken.safetensors"):
        status, _, sentence = run(capsys, *generating(out, "--lora", file))
        assert status == 1 and file.name in sentence and sentence.count("\n") == 1
    assert not list(out.parent.iterdir())


@pytest.mark.parametrize("broken", ["transformer/diffusion_model.safetensors", str(TOKENIZER / "tokenizer.json")])
def test_a_broken_model_is_refused_by_name(capsys, out, tmp_path, broken):
    model = tmp_path / "model"
    for file in FOLDER.rglob("*"):
        target = model / file.relative_to(FOLDER)
        if file.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(file)
    (model / broken).unlink()
    (model / broken).write_bytes(b'{"nothing": 1}')
    words = ("generate", PROMPT, "--model", model, "--size", "64x64", "--out", out)
    status, _, sentence = run(capsys, *words)
    assert status == 1 and sentence.startswith("zimage: ") and sentence.count("\n") == 1
    assert not list(out.parent.iterdir())


@pytest.mark.parametrize("moment", ["sampling", "saving"])
def test_ctrl_c_leaves_nothing_behind(capsys, out, monkeypatch, moment):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    if moment == "saving":
        monkeypatch.setattr("PIL.Image.Image.save", interrupted)
    else:
        monkeypatch.setattr("zimage_core.pipeline.denoise", interrupted)
    status, told, _ = run(capsys, *generating(out, "--steps", 1))
    assert (status, told) == (130, "") and not list(out.parent.iterdir())


def test_a_picture_that_is_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "picture.png")
    with pytest.raises(ValueError, match="named pipe"):
        open_picture(tmp_path / "picture.png")


def test_a_picture_that_cannot_be_written_completely_leaves_the_old_one(out, monkeypatch):
    out.write_bytes(b"old")

    def half(self, file, format):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", half)
    with pytest.raises(OSError, match="No space"):
        save_picture(Image.new("RGB", (8, 8)), out)
    assert out.read_bytes() == b"old" and only_file(out)


@pytest.mark.parametrize("words", [["--help"], ["generate", "--help"]])
def test_help_does_not_wait_for_pytorch(words):
    code = "import sys, runpy; sys.argv[0] = 'zimage'\ntry: runpy.run_module('zimage_core', run_name='__main__')\n"
    code += "finally: print('torch' in sys.modules, file=sys.stderr)"
    found = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "usage: zimage" in found.stdout and found.stderr.strip() == "False"


CAPTION = ("--type", "tags", "--out", "captions.jsonl", "--with")
WITHOUT_EFFECT = [
    (("enhance", "", "--encoder", "nano"), 1, "the request is empty"),
    (("enhance", " \n", "--encoder", "nano"), 1, "the request is empty"),
    (("enhance", "a fox", "--encoder", ""), 2, "it is empty: write nano"),
    (("enhance", "a fox", "--encoder", "nano", "--device", "cuda"), 1, "--device is for a folder"),
    (("enhance", "a fox", "--encoder", "nano", "--memory-limit", "1"), 1, "--memory-limit is for a folder"),
    (("enhance", "a fox", "--encoder", "nano", "--encoder-model", "x"), 1, "--encoder-model is for an address"),
    (("enhance", "a fox", "--encoder", str(FOLDER), "--device", "gpu"), 1, "there is no device gpu here"),
    (("caption", ".", *CAPTION, "nano", "--with-model", "x"), 1, "--with-model is for an address"),
    (("caption", "", *CAPTION, "nano"), 2, "it is empty: give a file or a folder"),
    (("generate", "a fox", "--model", "nano", "--out", ""), 2, "it is empty: give a file or a folder"),
    (("train", "lora", "--model", "nano", "--data", ".", "--out", ""), 2, "it is empty: give a file or a folder"),
]


@pytest.mark.parametrize("words, status, told", WITHOUT_EFFECT)
def test_what_is_empty_or_would_have_no_effect_is_told(capsys, words, status, told):
    found, result, sentence = run(capsys, *words)
    assert (found, result) == (status, "") and told in sentence and sentence.count("\n") == 1


def test_without_a_verb_one_is_asked_for(capsys):
    assert run(capsys) == (2, "", "zimage: the following arguments are required: VERB\n")
