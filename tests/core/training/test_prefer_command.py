"""`zimage prefer` as a script sees it: what is written and read, how it goes on, which sentence refuses what."""

import json
import re
from dataclasses import fields

import pytest
import torch
from PIL import Image
from safetensors import safe_open

from paths import REPOSITORY
from zimage_core.checkpoints import read_lora
from zimage_core.cli import main
from zimage_core.commands.named_scores import reward_of
from zimage_core.recipes import PreferenceConfig, read_distillation, read_preference
from zimage_core.sampling import NANO
from zimage_core.training.distillation.distilled import distillation_of
from zimage_core.training.preference.preferred import pair_tuning_of, recipe_of, reward_tuning_of

SMALL = ("--side", "32", "--rank", "2", "--lr", "0.01", "--checked", "0")


def grpo(prompts, out, *more):
    reward = ("--reward", "saturation", "contrast:0.5")
    turn = ("--batch", "1", "--group", "2", "--drawing-steps", "2", "--noisy-steps", "1", "--cfg", "1", "--steps", "3")
    return ["prefer", "--model", "nano", "--prompts", str(prompts), "--out", str(out), *reward, *turn, *SMALL, *more]


def dpo(pairs, out, *more):
    turn = ("--batch", "1", "--steps", "2")
    return [
        *("prefer", "--method", "dpo", "--model", "nano", "--pairs", str(pairs), "--out", str(out)),
        *(*turn, *SMALL, *more),
    ]


@pytest.fixture
def prompts(tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("a red heart\na large blue ring at the top on black\n", "utf-8")
    return file


@pytest.fixture
def pairs(tmp_path):
    rows = []
    for index in range(3):
        row = {"prompt": "a red heart", "draw": index == 2}
        for name, colour in (("chosen", "red"), ("rejected", "blue")):
            row[name] = f"{name}{index}.png"
            Image.new("RGB", (32, 32), colour).save(tmp_path / row[name])
        rows.append(json.dumps(row))
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(rows), "utf-8")
    return file


def tensors(file):
    with safe_open(file, "pt") as opened:
        return {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118


@pytest.mark.slow
def test_a_run_that_is_stopped_goes_on_and_writes_the_same_lora_with_previews_and_checks(
    prompts, tmp_path, capsys, monkeypatch
):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    looks = ("--previews", "a red heart")
    checks = [each if each != "0" else "1" for each in grpo(prompts, whole, *looks, "--json")]
    assert main(checks) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["updates"] == 3 and set(told["rewards"]) == {"saturation", "contrast"} and not told["decayed"]
    monkeypatch.setattr("zimage_core.training.preference.reward_lesson.RewardLesson._grpo_losses", interrupted_at(2))
    assert main(grpo(prompts, parts)) == 1 and "somebody stops" in capsys.readouterr().err and not parts.exists()
    monkeypatch.undo()
    assert main(grpo(prompts, parts)) == 0
    expected, found = tensors(whole), tensors(parts)
    assert expected.keys() == found.keys() and all(torch.equal(expected[key], found[key]) for key in expected)
    assert not read_lora(whole).unmatched and any(each.any() for each in expected.values())
    state = tmp_path / "whole.training"
    rows = [json.loads(line) for line in (state / "checks.jsonl").read_text().splitlines()]
    watched = {"saturation", "contrast", "high-frequency energy", "nano's scene", "diversity"}
    assert rows[0]["who"] == "teacher" and rows[-1]["who"] == "student" and watched <= set(rows[0])
    assert len(list((state / "previews").iterdir())) == 3


def interrupted_at(step):
    from zimage_core.training.preference.reward_lesson import RewardLesson

    whole, calls = RewardLesson._grpo_losses, []

    def losses(self, *arguments, **more):
        calls.append(1)
        if len(calls) == step:
            raise ValueError("somebody stops")
        return whole(self, *arguments, **more)

    return losses


@pytest.mark.slow
def test_pairs_are_learned_without_their_draws(pairs, tmp_path, capsys):
    out = tmp_path / "taste.safetensors"
    assert main(dpo(pairs, out, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["method"], told["prompts"], told["updates"]) == ("dpo", 1, 2)
    assert any(each.any() for each in tensors(out).values())
    encoded = tmp_path / "taste.training" / "encoded"
    assert len(list(encoded.iterdir())) == 4  # two pictures alike are one file: red, blue, the prompt and no prompt


def test_what_cannot_be_learned_is_refused_in_a_sentence(prompts, pairs, tmp_path, capsys):
    def refusal(arguments):
        try:
            status = main([str(each) for each in arguments])
        except SystemExit as stop:
            status = stop.code
        printed = capsys.readouterr()
        assert status in (1, 2) and printed.out == "" and len(printed.err.splitlines()) == 1
        return printed.err

    out = tmp_path / "x.safetensors"
    assert "dpo learns from pairs of pictures: give pairs" in refusal(dpo(pairs, out)[:5] + ["--out", out])
    assert "(reward is missing)" in refusal(["prefer", "--model", "nano", "--prompts", prompts, "--out", out])
    assert "there is no score beauty: choose nano's scene" in refusal(grpo(prompts, out, "--reward", "beauty"))
    assert "'much' of 'noise:much' is no weight" in refusal(grpo(prompts, out, "--reward", "noise:much"))
    assert "only the first 1 can be noisy" in refusal(grpo(prompts, out, "--noisy-steps", "2"))
    empty, many = tmp_path / "empty.txt", tmp_path / "many.txt"
    empty.write_text("\n")
    many.write_text("\n".join(map(str, range(100_001))))
    assert "has no prompt in it" in refusal(grpo(empty, out))
    assert "100001 prompts" in refusal(grpo(many, out))
    turbo = tmp_path / "Z-Image-Turbo"
    turbo.mkdir()
    arguments = dpo(pairs, out)
    arguments[arguments.index("nano")] = str(turbo)
    assert "Turbo model: learning from pairs would take its few steps" in refusal(arguments)
    (tmp_path / "chosen0.png").unlink()
    assert "names pictures that are not there (chosen0.png): bring them back" in refusal(dpo(pairs, out))
    (tmp_path / "rejected1.png").unlink()
    assert "names pictures that are not there (chosen0.png and 1 more): bring them back" in refusal(dpo(pairs, out))
    pairs.write_text(json.dumps({"prompt": "x", "chosen": "a.png", "rejected": "b.png", "draw": True}))
    assert "holds no choice between two pictures" in refusal(dpo(pairs, out))
    pairs.write_text('{"prompt": 3}')
    assert "line 1 is no preference pair" in refusal(dpo(pairs, out))
    assert not out.exists() and not out.with_suffix(".training").exists()


def test_every_key_is_an_option_and_a_recipes_keys_give_way_to_options(capsys):
    with pytest.raises(SystemExit):
        main(["prefer", "--help"])
    named = set(re.findall(r"^ +(--[a-z0-9-]+)", capsys.readouterr().out, re.MULTILINE))
    keys = {f"--{each.name.replace('_', '-')}" for each in fields(PreferenceConfig)}
    assert named - {"--help"} == keys | {"--resume", "--json"}
    config = read_preference(REPOSITORY / "recipes" / "prefer_grpo.toml", {"rule": "cps", "kl": 0.0, "steps": 7})
    tuning = reward_tuning_of(config, (8, 8), NANO)
    assert (tuning.method, tuning.kl, tuning.drawing.cfg) == ("grpo", 0.0, 1.0) and tuning.drawing.shift == NANO.shift
    assert (type(tuning.drawing.rule).__name__, tuning.drawing.rule.noise) == ("Cps", 1.0)
    assert recipe_of(config).steps == 7 and reward_of(config.reward).names == ("nano's scene",)
    pairs = read_preference(REPOSITORY / "recipes" / "prefer_dpo.toml", {})
    assert pair_tuning_of(pairs).dpo.anchor == 0.1 and pair_tuning_of(pairs).steps == pairs.steps


def test_dmdr_is_a_method_of_distill_that_wants_a_reward():
    given = {"model": "nano", "prompts": "p.txt", "out": "x.safetensors", "method": "dmdr", "steps": 100}
    dmdr = distillation_of(read_distillation(None, {**given, "reward": ["nano's scene"]}), (8, 8)).dmdr
    assert (dmdr.cold_start, dmdr.dynamic, dmdr.through) == (50, 25, "grpo")
    for changes, told in (
        ({}, "give a reward"),
        ({"reward": ["noise"], "method": "dmd2"}, "learns from no reward"),
        ({"reward": ["noise"], "nfe": 1}, "choose nft or dpo"),
    ):
        with pytest.raises(ValueError, match=told):
            read_distillation(None, {**given, **changes})
