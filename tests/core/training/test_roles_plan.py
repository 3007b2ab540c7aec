"""Plans of students and policies are held against the bytes that their updates have alive on the CPU."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import tiny
from memory import LiveBytesMode
from zimage_core.model import S3DiT
from zimage_core.recipes import DistillationConfig, PreferenceConfig
from zimage_core.runtime.offload.plan_inputs import RESERVE, Machine
from zimage_core.sampling import Preset
from zimage_core.scoring.score import Measurement
from zimage_core.training.distillation import distilled
from zimage_core.training.distillation.distill import distill
from zimage_core.training.encoded_example import EncodedPicture
from zimage_core.training.memory.roles_plan import policy_plan, student_plan
from zimage_core.training.preference import preferred
from zimage_core.training.preference.pair_lesson import EncodedPair, PairLesson
from zimage_core.training.preference.prefer import prefer
from zimage_core.training.preference.reward_lesson import RewardLesson
from zimage_core.training.rewards.reward import Reward, request_of

NETWORK = replace(tiny.DIT, dim=128, ffn_dim=342, n_layers=4, n_refiner_layers=1, adaln_dim=64)
CELLS, WORDS = (24, 24), 20
CAPTIONS = [torch.ones(WORDS, NETWORK.cap_feat_dim)] * 2
NO_CAPTION = torch.ones(1, NETWORK.cap_feat_dim)
GIVEN = {"model": "nano", "out": Path("x.safetensors"), "rank": 16, "batch": 2, "steps": 4}
PRESET = Preset(steps=4, cfg=2.0, shift=3.0, solver="euler")


def student(**changes):
    return DistillationConfig(**{**GIVEN, "prompts": Path("p.txt"), "nfe": 2, "cfg": 3.0, **changes})


def policy(**changes):
    told = {"reward": ("brightness",), "prompts": Path("p.txt"), "drawing_steps": 4, "noisy_steps": 1, "group": 2}
    return PreferenceConfig(**{**GIVEN, **told, "batch": 1, **changes})


def pairs(**changes):
    return PreferenceConfig(**{**GIVEN, "method": "dpo", "pairs": Path("p.jsonl"), **changes})


class ByHand:
    """A score that tells pictures apart by their order."""

    name, reader, higher_is_better, count = "brightness", "order", True, 0

    def __call__(self, pictures, requests):
        self.count += 1
        return [Measurement(value=float(self.count))] * len(pictures)


def student_steps(dit, config, folder):
    step_of = distilled.distillation_of(config, CELLS)
    recipe = distilled.two_rates_of(config, step_of.turn)
    return distill(dit, distilled.roles_of(dit, config), CAPTIONS, NO_CAPTION, step_of, recipe, folder), recipe.turn + 2


def policy_steps(dit, config, folder):
    roles = preferred.roles_of(dit, config)
    if config.method == "dpo":
        picture = EncodedPicture(torch.randn(16, *CELLS), torch.full((16, *CELLS), -30.0))
        tuning = preferred.pair_tuning_of(config)
        examples = [EncodedPair(picture, picture, words) for words in CAPTIONS]
        lesson = PairLesson(dit, roles, examples, NO_CAPTION, [1.0, 2.0], tuning)
    else:
        tuning, reward = preferred.reward_tuning_of(config, CELLS, PRESET), Reward(scores=(ByHand(),), weights=(1.0,))
        words = CAPTIONS, NO_CAPTION, [request_of("a heart"), request_of("a star")]
        lesson = RewardLesson(dit, roles, *words, reward, lambda latent: Image.new("RGB", (8, 8)), tuning)
    return prefer(dit, roles, lesson, preferred.recipe_of(config), folder), 2


def counted(steps_of, config, folder):
    """Peak bytes until each role has learned twice."""
    dit = tiny.fill(S3DiT(NETWORK)).requires_grad_(False)
    with LiveBytesMode() as mode:
        for tensor in (*dit.parameters(), *dit.buffers()):
            mode.live.add(tensor.untyped_storage())
        steps, n_steps = steps_of(dit, config, folder)
        for _ in range(n_steps):
            next(steps)
        peak = mode.peak
        steps.close()
    return peak


def planned(config):
    if isinstance(config, DistillationConfig):
        return student_plan(NETWORK, torch.float32, config, distilled.distillation_of(config, CELLS), WORDS)
    is_pairs = config.method == "dpo"
    tuning = preferred.pair_tuning_of(config) if is_pairs else preferred.reward_tuning_of(config, CELLS, PRESET)
    return policy_plan(NETWORK, torch.float32, config, tuning, CELLS, WORDS)


CASES = {
    "student": (student_steps, student(fake_updates=1)),
    "GRPO with guidance": (policy_steps, policy(method="grpo")),
    "DiffusionNFT, one picture at once": (policy_steps, policy(method="nft", token_budget=1)),
    "pairs": (policy_steps, pairs()),
}


@pytest.mark.parametrize("name", CASES)
def test_a_plan_is_true_within_a_tenth_of_counted_bytes(tmp_path, name):
    steps_of, config = CASES[name]
    plan = planned(config)
    assert plan.peak == pytest.approx(counted(steps_of, config, tmp_path), rel=0.1), plan.lines


def test_what_does_not_fit_is_told_with_what_would():
    plan = planned(student(batch=4))
    least = planned(student(batch=4, token_budget=1))

    def told(free):
        return plan.told(Machine(kind="cuda", free_device=free + RESERVE, free_ram=10**9))

    assert told(plan.peak).endswith(" are free") and plan.told(None) == "; ".join(plan.lines).replace("; ", ": ", 1)
    assert "does not fit: it would with fewer pictures at once" in told(least.peak)
    assert "no setting but smaller pictures" in told(least.peak - 1)
