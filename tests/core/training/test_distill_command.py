"""`zimage distill` as a script sees it: what a kill leaves, what is written and read, which sentence refuses what."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields

import pytest
import torch
from safetensors import safe_open

from paths import REPOSITORY
from zimage_core import generate
from zimage_core.checkpoints import read_lora
from zimage_core.cli import main
from zimage_core.recipes import DistillationConfig, read_distillation
from zimage_core.training.distillation.decay import Decay, DecayAlarm
from zimage_core.training.distillation.distilled import distillation_of, two_rates_of
from zimage_core.training.loop.state import saved_step

PROMPTS = ["a red heart", "a large blue ring at the top on black", "小的绿色星星", "a red heart", ""]


@pytest.fixture
def prompts(tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("\n".join(PROMPTS), "utf-8")
    return file


def command(prompts, out, *more):
    return [
        *("distill", "--model", "nano", "--prompts", str(prompts), "--out", str(out), "--nfe", "2", "--steps", "4"),
        *(
            "--fake-updates",
            "1",
            "--batch",
            "2",
            "--rank",
            "2",
            "--side",
            "32",
            "--lr",
            "0.01",
            "--checked",
            "0",
            *more,
        ),
    ]


@pytest.mark.slow
def test_a_killed_distillation_goes_on_and_ends_with_the_same_file(prompts, tmp_path, capsys):
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    curve = tmp_path / "killed.training" / "curve.jsonl"
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONPATH": str(REPOSITORY)}
    arguments = [sys.executable, "-m", "zimage_core", *command(prompts, killed)]
    process = subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (curve.exists() and len(curve.read_text().splitlines()) > 2):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    assert main(command(prompts, killed, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["updates"], told["prompts"], told["nfe"], told["decayed"]) == (4, 3, 2, False)
    assert main(command(prompts, whole, "--previews", "a red heart")) == 0
    with safe_open(whole, "pt") as expected, safe_open(killed, "pt") as found:
        assert found.keys() == expected.keys()
        assert all(torch.equal(found.get_tensor(key), expected.get_tensor(key)) for key in expected.keys())  # noqa: SIM118
    assert curve.read_text() == (tmp_path / "whole.training" / "curve.jsonl").read_text()
    roles = [json.loads(line)["role"] for line in curve.read_text().splitlines()]
    assert roles == ["fake", "student"] * 4
    lora = read_lora(whole)
    assert not lora.unmatched and lora.metadata["zimage.sampling"] == "2 steps, cfg 1, euler, shift 3"
    [with_it], [without] = (
        generate("a red heart", steps=2, size=(32, 32), loras=each) for each in ([(whole, 1.0)], [])
    )
    assert with_it.tobytes() != without.tobytes()
    previews = sorted((tmp_path / "whole.training" / "previews").iterdir())
    assert len(previews) == 4 and previews[-1].name == "000008-1.png"


@pytest.fixture
def turbo(tmp_path):
    folder = tmp_path / "Z-Image-Turbo"
    folder.mkdir()
    return folder


def test_what_cannot_be_distilled_is_refused_in_a_sentence(prompts, tmp_path, turbo, capsys):
    def refusal(*arguments):
        try:
            status = main([str(each) for each in arguments])
        except SystemExit as stop:
            status = stop.code
        printed = capsys.readouterr()
        assert status in (1, 2) and printed.out == "" and len(printed.err.splitlines()) == 1
        return printed.err

    out, empty, latin = tmp_path / "x.safetensors", tmp_path / "empty.txt", tmp_path / "latin.txt"
    empty.write_text("\n \n")
    latin.write_bytes(b"caf\xe9")
    assert "has no prompt in it" in refusal(*command(empty, out))
    assert "is not UTF-8" in refusal(*command(latin, out))
    assert "there is no such file" in refusal(*command(tmp_path / "gone.txt", out))
    assert "is a folder" in refusal(*command(tmp_path, out))
    many = tmp_path / "many.txt"
    many.write_text("\n".join(map(str, range(100_001))))
    assert "100001 prompts" in refusal(*command(many, out))
    taught = command(prompts, out)
    taught[taught.index("nano")] = str(turbo)
    assert "Turbo model and cannot teach: a student learns from guidance" in refusal(*taught)
    assert "0 updates of it" in refusal(*command(prompts, out, "--dm-weight", "0"))
    assert "the key model is missing" in refusal("distill", "--out", out, "--prompts", prompts)
    assert "is none of" in refusal("distill", written(tmp_path, 'method = "magic"'), *command(prompts, out)[1:])
    assert "no key stepz where a student is distilled; steps is meant?" in refusal(
        "distill", written(tmp_path, "stepz = 3"), *command(prompts, out)[1:]
    )
    assert not out.exists() and not out.with_suffix(".training").exists()


def written(folder, text):
    file = folder / "recipe.toml"
    file.write_text(text, "utf-8")
    return file


def test_every_key_is_an_option_and_a_recipes_keys_give_way_to_options(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["distill", "--help"])
    named = set(re.findall(r"^ +(--[a-z0-9-]+)", capsys.readouterr().out, re.MULTILINE))
    keys = {f"--{each.name.replace('_', '-')}" for each in fields(DistillationConfig)}
    assert named - {"--help"} == keys | {"--resume", "--json"}
    file = written(tmp_path, 'model = "nano"\nprompts = "p.txt"\nout = "x.safetensors"\nnfe = 4\nsteps = 7\n')
    config = read_distillation(file, {"steps": 9, "dm_weight": 0.0})
    assert (config.nfe, config.steps, config.lr) == (4, 9, 2e-5)
    assert distillation_of(config, (8, 8)).fake_updates == 0
    recipe = two_rates_of(read_distillation(file, {"fake_lr": 4e-5}), 6)
    assert (recipe.steps, recipe.turn, recipe.lr_at(29), recipe.lr_at(28)) == (42, 6, 2e-5, 4e-5)


def test_the_shipped_recipe_distills_the_built_in_model_into_four_steps():
    config = read_distillation(REPOSITORY / "recipes" / "distill_turbo.toml", {})
    assert (config.model, config.method, config.nfe, config.levels) == ("nano", "decoupled-dmd", 4, "decoupled")
    assert distillation_of(config, (8, 8)).fake_updates == 2 and not config.out.is_absolute()


def test_two_numbers_that_stay_worse_for_three_checks_end_a_run_also_when_it_is_resumed(tmp_path):
    teacher = {"saturation": 0.4, "contrast": 0.2, "high-frequency energy": 300.0, "score": 0.9}

    def alarm_of(*students, patience=3):
        for file in tmp_path.iterdir():
            file.unlink()
        alarm = DecayAlarm(tmp_path, patience)
        alarm.add("teacher", 0, teacher)
        for student in students:
            alarm.add("student", 0, teacher | student)
        return alarm

    good, burnt = {"saturation": 0.42}, {"saturation": 0.6, "contrast": 0.3}
    assert not alarm_of(good, burnt, burnt).has_gone_off()
    assert alarm_of(good, burnt, burnt, burnt).has_gone_off()
    assert DecayAlarm(tmp_path, 3).has_gone_off() and saved_step(tmp_path) == 0
    assert not alarm_of(good, burnt, burnt, burnt, patience=0).has_gone_off()
    assert not alarm_of(good, burnt, good, burnt, burnt).has_gone_off()
    assert not alarm_of(burnt, burnt, burnt, burnt).has_gone_off()  # no worse than at first
    ended = alarm_of(burnt, good, burnt, burnt, burnt)
    for check, row in enumerate(ended.rows):
        row["step"] = 10 * check
    assert ended.decay == Decay(names=("saturation", "contrast"), step=50, best=20)
    one = {"contrast": 0.3}
    assert not alarm_of(good, one, one, one).has_gone_off()
    assert alarm_of(good, one | {"score": 0.5}, burnt | {"score": 0.5}, one | {"score": 0.4}).has_gone_off()
    better = {"score": 1.0, "contrast": 0.3}  # a score above the teacher's is no decay
    assert not alarm_of(good, better, better, better).has_gone_off()
    assert alarm_of(burnt, good).is_best and not alarm_of(good, burnt).is_best
    alarm_of(good)
    DecayAlarm(tmp_path, 3).add("student", 12, teacher)  # ahead of the saved state, which is none
    assert [row["step"] for row in DecayAlarm(tmp_path, 3).rows] == [0, 0]
