"""Preference runs on a tiny network: what learns, what a stop changes, ratios on policy, failing rewards, alarms."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from PIL import Image

import tiny
from zimage_core.sampling import Preset
from zimage_core.scoring.features import DiversityScore
from zimage_core.scoring.features.thumbnails import Thumbnails
from zimage_core.scoring.score import Measurement
from zimage_core.training.distillation.decay import Checks
from zimage_core.training.encoded_example import EncodedPicture
from zimage_core.training.loop.runner import Recipe
from zimage_core.training.loop.state import saved_step
from zimage_core.training.objectives.diffusion_dpo import DiffusionDpo
from zimage_core.training.objectives.grpo import Cps
from zimage_core.training.preference.pair_lesson import EncodedPair, PairLesson, PairTuning
from zimage_core.training.preference.prefer import PreferenceWatch, prefer
from zimage_core.training.preference.reward_lesson import OLD, POLICY, RewardLesson, RewardTuning
from zimage_core.training.previews import Previews, Prompts
from zimage_core.training.rewards.noisy_drawing import Drawing
from zimage_core.training.rewards.reward import Reward, RewardError, request_of
from zimage_core.training.trainables import LoraTrainable, Roles

PROMPTS = ("a red heart", 'a sign that says "open"', "a blue ring")
RECIPE = Recipe(steps=4, lr=3e-3, warmup_steps=1, ema_decay=0.5, save_every=3)
DRAWING = Drawing(cells=(4, 4), steps=2, shift=3.0, cfg=1.0, noisy_steps=1)
GRPO = RewardTuning(drawing=DRAWING, prompts=1, group=4, saves_memory=False)
NFT = replace(GRPO, method="nft", drawing=replace(DRAWING, noisy_steps=0))
NO_CAPTION = torch.ones(3, 48)


def decode(latent):
    """The first three channels as a picture."""
    levels = (latent[0, :3].clamp(-2, 2) / 4 + 0.5) * 255
    small = Image.fromarray(levels.permute(1, 2, 0).round().to(torch.uint8).numpy(), "RGB")
    return small.resize((32, 32), Image.Resampling.NEAREST)


class Bright:
    """A reward that is easy to learn."""

    name, reader, higher_is_better = "brightness", "mean level", True

    def __call__(self, pictures, requests):
        return [Measurement(value=sum(each.convert("L").tobytes()) / 255 / 1024) for each in pictures]


class Other(Bright):
    """One that does what it is told."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, pictures, requests):
        return [self.answer(each) for each in pictures]


def rewarded(*scores):
    return Reward(scores=scores or (Bright(),), weights=(1.0,) * (len(scores) or 1))


def roles_on(dit, *names):
    generator = torch.Generator().manual_seed(2)
    roles = Roles(**{name: LoraTrainable(dit, rank=2, alpha=2.0, generator=generator) for name in names})
    for name in names[1:]:
        roles.adapter(name).requires_grad_(False)
    return roles


def captions():
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(n, 48, generator=generator) for n in (5, 9, 33)]


def reward_run(dit, tuning, reward):
    roles = roles_on(dit, POLICY, OLD)
    words = captions(), NO_CAPTION, [request_of(prompt) for prompt in PROMPTS]
    return roles, RewardLesson(dit, roles, *words, reward, decode, tuning, 0)


def pair_run(dit, tuning):
    roles, generator = roles_on(dit, POLICY), torch.Generator().manual_seed(6)
    pairs = [
        EncodedPair(
            *(EncodedPicture(torch.randn(16, 4, 4, generator=generator), torch.full((16, 4, 4), -30.0)),) * 1,
            EncodedPicture(torch.randn(16, 4, 4, generator=generator), torch.full((16, 4, 4), -30.0)),
            words,
        )
        for words in captions()
    ]
    return roles, PairLesson(dit, roles, pairs, NO_CAPTION, [float(len(each.caption)) for each in pairs], tuning)


DPO = PairTuning(dpo=DiffusionDpo(beta=50.0), pairs=2, steps=4, saves_memory=False)
LESSONS = {
    "grpo": partial(reward_run, tuning=GRPO, reward=rewarded()),
    "grpo, two updates a turn": partial(reward_run, tuning=replace(GRPO, updates=2, clip=0.1), reward=rewarded()),
    "grpo by CPS": partial(reward_run, tuning=replace(GRPO, drawing=replace(DRAWING, rule=Cps())), reward=rewarded()),
    "nft": partial(reward_run, tuning=replace(NFT, updates=2), reward=rewarded()),
    "dpo": partial(pair_run, tuning=DPO),
}


@pytest.mark.parametrize("method", LESSONS)
def test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_bits(tmp_path, method):
    def run(folder, stop=None):
        dit, found = tiny.dit(), []
        base = {name: tensor.clone() for name, tensor in dit.state_dict().items()}
        roles, lesson = LESSONS[method](dit)
        for progress in prefer(dit, roles, lesson, RECIPE, folder):
            found.append((progress.loss, progress.grad_norm))
            if progress.step + 1 == stop:
                break
        assert all(torch.equal(tensor, base[name]) for name, tensor in dit.state_dict().items())
        return found, roles

    whole, expected = run(tmp_path / "whole")
    first, _ = run(tmp_path / "parts", stop=3)
    rest, roles = run(tmp_path / "parts")
    assert first + rest == whole and len(whole) == 4 and all(norm > 0 for _, norm in whole)
    for found, wanted in zip(roles.parameters(), expected.parameters(), strict=True):
        assert torch.equal(found, wanted)
    curves = [(tmp_path / each / "curve.jsonl").read_text() for each in ("whole", "parts")]
    assert curves[0] == curves[1]


def test_on_policy_every_ratio_is_one_and_the_old_policy_never_learns():
    dit = tiny.dit()
    drawing = replace(DRAWING, steps=4, cfg=2.0, noisy_steps=2)
    tuning = replace(GRPO, drawing=drawing, prompts=2, token_budget=128, saves_memory=True, kl=0.0)
    roles, lesson = reward_run(dit, tuning, rewarded())
    with torch.no_grad():
        for parameter in roles.adapter(POLICY).parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)), alpha=0.05)
    with roles.attached():
        losses = list(lesson.losses(0, torch.Generator()))
        expected = [
            -float(advantages.sum()) / (8 * len(drawn.decisions))
            for _, rated in lesson._rated
            for drawn, advantages in rated
            for _ in drawn.decisions
        ]
        assert len(losses) >= 8  # two prompts, each in two batches or more, each with two decisions
        assert [each.item() for each in losses] == pytest.approx(expected, abs=1e-7)
        sum(losses).backward()
    assert all(each.grad is None for each in roles.adapter(OLD).parameters())
    assert all(each.grad is not None for each in roles.adapter(POLICY).parameters())
    pairs = zip(roles.adapter(OLD).parameters(), roles.adapter(POLICY).parameters(), strict=True)
    assert all(torch.equal(old, policy) for old, policy in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grpo", "nft"])
def test_a_reward_rises(tmp_path, method):
    dit = tiny.dit()
    tuning = replace(GRPO if method == "grpo" else NFT, group=16, kl=0.0)
    roles, lesson = reward_run(dit, tuning, rewarded())
    recipe = replace(RECIPE, steps=21, lr=2e-2, save_every=30)
    found = [progress.rewards["brightness"] for progress in prefer(dit, roles, lesson, recipe, tmp_path)]
    assert sum(found[-6:]) / 6 > sum(found[:6]) / 6 + 0.03


def test_a_policy_learns_to_prefer_what_was_chosen(tmp_path):
    dit = tiny.dit()
    roles, lesson = pair_run(dit, replace(DPO, steps=12, pairs=3))
    found = list(prefer(dit, roles, lesson, replace(RECIPE, steps=12, lr=2e-2, save_every=30), tmp_path))
    preferred = [progress.preferred for progress in found]
    assert preferred[0] == 0.0 and sum(preferred[-4:]) / 4 > 0.8 and not found[0].rewards


def failing(text):
    def answer(picture):
        raise RuntimeError(text)

    return answer


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (failing("no\nsuch judge"), r"brightness \(mean level\) failed \(no such judge\): fix it and start again"),
        (lambda picture: Measurement(value=float("nan")), r"no number for any of 4 pictures of 'a .*' \(its numbers"),
        (lambda picture: Measurement.missing("too dark"), r"no number for any of 4 pictures of 'a .*' \(too dark\)"),
    ],
)
def test_a_reward_that_fails_is_told_in_a_sentence_and_nothing_is_lost(tmp_path, answer, told):
    dit = tiny.dit()
    roles, lesson = reward_run(dit, GRPO, rewarded())
    run = prefer(dit, roles, lesson, RECIPE, tmp_path)
    next(run)
    lesson.rater = replace(lesson.rater, reward=rewarded(Other(answer)))
    with pytest.raises(RewardError, match=told) as failure:
        next(run)
    assert "\n" not in str(failure.value) and saved_step(tmp_path) == 1
    dit = tiny.dit()
    roles, lesson = reward_run(dit, GRPO, rewarded())
    assert [progress.step for progress in prefer(dit, roles, lesson, RECIPE, tmp_path)] == [1, 2, 3]


def test_a_constant_reward_is_refused_after_a_while_and_again_when_it_is_resumed(tmp_path):
    for _ in range(2):
        dit = tiny.dit()
        roles, lesson = reward_run(dit, GRPO, rewarded(Other(lambda picture: Measurement(value=0.5))))
        found = []
        with pytest.raises(RewardError, match="the same number in 20 steps"):
            found += prefer(dit, roles, lesson, replace(RECIPE, steps=30, save_every=30), tmp_path)
        assert saved_step(tmp_path) == 20


def test_whoever_looks_on_can_end_a_run_within_a_step(tmp_path):
    class Stop(BaseException):
        pass

    seen = []

    def on_part(what, done, of):
        seen.append((what, done, of))
        if len(seen) == 12:
            raise Stop

    dit = tiny.dit()
    roles, lesson = reward_run(dit, GRPO, rewarded())
    with pytest.raises(Stop):
        list(prefer(dit, roles, lesson, RECIPE, tmp_path, watch=PreferenceWatch(on_part=on_part)))
    assert seen[:9] == [*((what, n, 4) for what in ("drawn", "rated") for n in range(1, 5)), ("learned", 1, 1)]
    assert saved_step(tmp_path) == 1 and roles.role is None


def checks():
    prompts = Prompts(captions()[:2], NO_CAPTION, (4, 4))
    preset = Preset(steps=2, cfg=1.0, shift=3.0, solver="euler")
    drawn = Previews(prompts=prompts, preset=preset, every=1, decode=decode)
    scores = [Bright(), DiversityScore(Thumbnails())]
    return Checks(drawn=drawn, prompts=PROMPTS[:2], student=preset, scores=scores, every=4, seeds=2)


@pytest.mark.slow
def test_a_reward_that_can_be_hacked_is_caught_and_the_best_average_kept(tmp_path):
    """Brightness is easily had: pictures become white, without saturation, contrast and differences."""
    dit, kept = tiny.dit(), []
    roles, lesson = reward_run(dit, replace(GRPO, group=16, kl=0.0), rewarded())
    best = partial(kept.append, None)
    watch = PreferenceWatch(checks=checks(), patience=3, keep_best=best)
    found = list(prefer(dit, roles, lesson, replace(RECIPE, steps=60, lr=6e-2, save_every=80), tmp_path, watch=watch))
    rows = (tmp_path / "checks.jsonl").read_text().splitlines()
    assert len(found) < 60 and kept
    assert all("diversity" in row and "high-frequency energy" in row and "brightness" in row for row in rows)
