"""Roles of one tiny base that learn, by every method, in one process or in several that share their batches."""

from dataclasses import replace

import torch
from PIL import Image

import tiny
from zimage_core.scoring.score import Measurement
from zimage_core.training.distillation.adversary import AdversarialHead, Reals
from zimage_core.training.distillation.distill import distill
from zimage_core.training.distillation.students_reward import StudentsReward
from zimage_core.training.distillation.update import Distillation, TwoRates
from zimage_core.training.encoded_example import EncodedExample, EncodedPicture
from zimage_core.training.loop.runner import Recipe
from zimage_core.training.objectives.dmdr import Dmdr
from zimage_core.training.preference.pair_lesson import EncodedPair, PairLesson, PairTuning
from zimage_core.training.preference.prefer import prefer
from zimage_core.training.preference.reward_lesson import RewardLesson, RewardTuning
from zimage_core.training.rewards.noisy_drawing import Drawing
from zimage_core.training.rewards.reward import Reward, request_of
from zimage_core.training.trainables import LoraTrainable, Roles

RATES = {"steps": 4, "lr": 1e-3, "warmup_steps": 1, "save_every": 2}
PLAIN = Distillation(cells=(4, 4), nfe=2, batch=3, renoised=0.5, fake_updates=1)
STUDENTS = {
    "decoupled": PLAIN,
    "head": replace(PLAIN, method="dmd2", adversarial_weight=0.3),
    **{
        through: replace(PLAIN, method="dmdr", dmdr=Dmdr(cold_start=0, dynamic=2, group=3, through=through))
        for through in ("nft", "dpo")
    },
}
GRPO = RewardTuning(drawing=Drawing(cells=(4, 4), steps=2, shift=3.0, cfg=2.0, noisy_steps=1), prompts=1, group=3)
KINDS = (*STUDENTS, "taste by grpo", "taste by dpo")


class Level:
    """A reward without steps, in which rounding changes nothing that counts."""

    name, reader, higher_is_better = "level", "red", True

    def __call__(self, pictures, requests):
        return [Measurement(value=float(each.getpixel((0, 0))[0])) for each in pictures]


def decode(latent):
    levels = ((latent[0, :3].clamp(-3, 3) / 6 + 0.5) * 255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy(), "RGB")


def run(kind, folder, processes):
    """All steps of a method; the folder keeps its curve."""
    dit, generator = tiny.dit(), torch.Generator().manual_seed(2)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator)

    names = ("student", "fake") if kind in STUDENTS else ("policy", "old")
    adapters = {role: LoraTrainable(dit, rank=2, alpha=2.0, generator=generator) for role in names}
    roles = Roles(AdversarialHead(dit.config.dim, generator) if kind == "head" else None, **adapters)
    with torch.no_grad():
        for parameter in roles.parameters():
            parameter.add_(drawn(*parameter.shape), alpha=0.05)
    captions, none = [drawn(n, 48) for n in (5, 9, 33)], torch.ones(3, 48)
    reward, requests = Reward(scores=(Level(),), weights=(1.0,)), [request_of(str(number)) for number in range(3)]
    if kind in STUDENTS:
        step_of, recipe = STUDENTS[kind], TwoRates(**RATES, fake_lr=2e-3, turn=2)
        words = captions, none
        rewarded = reals = None
        if step_of.dmdr:
            rewarded = StudentsReward(dit, roles, *words, requests, reward, decode, step_of, processes=processes)
        if kind == "head":
            pictures = [EncodedPicture(drawn(16, 4, 4), drawn(16, 4, 4) - 5) for _ in range(4)]
            reals = Reals(examples=[EncodedExample(each, (drawn(9, 48),)) for each in pictures], hash="")
        more = {"rewarded": rewarded, "reals": reals, "processes": processes}
        return [*distill(dit, roles, *words, step_of, recipe, folder, **more)]
    if kind == "taste by grpo":
        lesson = RewardLesson(dit, roles, captions, none, requests, reward, decode, GRPO, processes=processes)
    else:
        pictures = [EncodedPicture(drawn(16, 4, 4), drawn(16, 4, 4) - 5) for _ in range(6)]
        pairs = [EncodedPair(pictures[2 * n], pictures[2 * n + 1], caption) for n, caption in enumerate(captions)]
        tuning = PairTuning(pairs=3, steps=4, saves_memory=False)
        lesson = PairLesson(dit, roles, pairs, none, [1.0, 2.0, 3.0], tuning, processes)
    return [*prefer(dit, roles, lesson, Recipe(**RATES), folder, processes=processes)]


def run_all(folder, processes):
    """Every kind, each in a folder of its own."""
    for kind in KINDS:
        run(kind, folder / kind, processes)
