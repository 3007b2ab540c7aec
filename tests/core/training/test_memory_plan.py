"""A memory plan is held against the bytes that a run has alive on the CPU, counted storage by storage."""

import math
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch

import tiny
from memory import LiveBytesMode
from zimage_core.atomic_file import save_tensors
from zimage_core.model import Reference, S3DiT
from zimage_core.quant import SCHEMES, quantize_layers
from zimage_core.recipes import FullConfig, LoraConfig
from zimage_core.runtime.offload.partition import partition
from zimage_core.runtime.offload.plan import size_text
from zimage_core.runtime.offload.plan_inputs import RESERVE, Machine
from zimage_core.training.encoded_example import EncodedExample, EncodedPicture, Seen
from zimage_core.training.encoded_files import EncodedSet, ExampleFiles
from zimage_core.training.flow_training import FlowMatching, TrainingSet, train_examples
from zimage_core.training.memory.batch import batch_of, largest_batch
from zimage_core.training.memory.plan import Planned, training_plan
from zimage_core.training.memory.remedies import remedies, streamed, told
from zimage_core.training.settings import flow_matching_of, recipe_of
from zimage_core.training.trained_file import trainable_of

GB = 10**9
NETWORK = replace(tiny.DIT, dim=128, ffn_dim=342, n_layers=5, n_refiner_layers=1, adaln_dim=64)
GIVEN = {"model": "nano", "data": Path("pictures"), "out": Path("x.safetensors"), "rank": 8}


def lora(**changes):
    return LoraConfig(**{**GIVEN, **changes})


def full(**changes):
    return FullConfig(**{name: value for name, value in {**GIVEN, **changes}.items() if name != "rank"})


def dataset(side, n_words=20, count=2):
    latent = torch.randn(16, side, side, generator=torch.Generator().manual_seed(side))
    words = torch.ones(n_words, NETWORK.cap_feat_dim)
    example = EncodedExample(EncodedPicture(latent, torch.full_like(latent, -9.0)), (words,))
    return TrainingSet(examples=[example] * count, no_caption=words)


def counted(config, learned_from, folder, network=NETWORK):
    """Peak bytes of two steps with all that is held; the second has the optimizer's state from the start."""
    dit = tiny.fill(S3DiT(network))
    if getattr(config, "quantize", None):
        quantize_layers(dit, SCHEMES[config.quantize])
    with LiveBytesMode() as mode:
        for tensor in (*dit.parameters(), *dit.buffers()):
            mode.live.add(tensor.untyped_storage())
        recipe, step_of = recipe_of(config, 20), flow_matching_of(config)
        steps = train_examples(dit, trainable_of(dit, config), learned_from, step_of, recipe, folder)
        list(islice(steps, 2))
        peak = mode.peak
        steps.close()
    return peak


CASES = {
    "lora": (64, lora()),
    "lora of a short sequence": (16, lora()),
    "lora, activations kept": (32, lora(keep_activations=True)),
    "lora of a high rank on all layers, in two groups": (32, lora(rank=128, layers="all", batch=2, token_budget=1)),
    "lora of two pictures at once": (32, lora(batch=2, token_budget=10_000)),
    "dora": (32, lora(kind="dora")),
    "lora on int8": (64, lora(quantize="int8")),
    "lora on fp8, activations kept": (32, lora(quantize="fp8", keep_activations=True)),
    "all weights": (64, full()),
    "all weights, activations kept": (32, full(keep_activations=True)),
    "all weights by adafactor, in two groups": (16, full(optimizer="adafactor", batch=2, token_budget=1)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_plan_is_true_within_a_tenth_of_counted_bytes(tmp_path, name):
    side, config = CASES[name]
    learned_from = dataset(side)
    batch = largest_batch(learned_from, flow_matching_of(config))
    plan = training_plan(Planned(network=NETWORK, dtype=torch.float32, config=config, batch=batch))
    assert plan.peak == pytest.approx(counted(config, learned_from, tmp_path), rel=0.1), str(plan)


def test_a_plan_counts_what_an_edit_looks_at(tmp_path):
    network, config = replace(NETWORK, siglip_feat_dim=40), lora(keep_activations=True)
    [example], words = dataset(32, count=1).examples, torch.ones(7, 48)
    reference = Reference(example.picture.mean, torch.ones(6, 6, 40))
    seen = Seen(references=(reference,), before=(words,), after=words, no_caption=words)
    learned_from = TrainingSet(examples=[example._replace(seen=seen, weight=torch.ones(32, 32))], no_caption=words)
    batch = largest_batch(learned_from, flow_matching_of(config))
    assert str(batch) == "1 x 704 tokens"  # picture and reference 256 each, 64 features, 4 x 32 of texts and pads
    plan = training_plan(Planned(network=network, dtype=torch.float32, config=config, batch=batch))
    assert plan.peak == pytest.approx(counted(config, learned_from, tmp_path, network), rel=0.1), str(plan)


def test_the_largest_batch_is_found_in_the_headers_of_encoded_files(tmp_path):
    """Two sizes: of the small one three fit the budget, which is more tokens than one of the large one."""
    names = []
    for side in (16, 24):
        latent = torch.zeros(16, side, side)
        save_tensors(tmp_path / f"{side}.safetensors", {"mean": latent, "logvar": latent})
        names.append(ExampleFiles(picture=str(side), captions=("words", "more"), repeats=3))
    save_tensors(tmp_path / "words.safetensors", {"features": torch.zeros(20, 48)})
    save_tensors(tmp_path / "more.safetensors", {"features": torch.zeros(40, 48)})
    found = largest_batch(
        TrainingSet(examples=EncodedSet(tmp_path, names).repeated(), no_caption=torch.zeros(5, 48)),
        FlowMatching(batch=3, token_budget=390),
    )
    assert str(found) == "3 x 128 tokens" and found.has_others
    assert all(each.x0.device.type == "meta" for each in found.group)


def test_what_does_not_fit_is_told_with_what_would():
    network, config = replace(NETWORK, n_layers=3), lora(rank=64, keep_activations=True)
    planned = Planned(network=network, dtype=torch.bfloat16, config=config, batch=batch_of(network, (32, 32), 20))
    plan = training_plan(planned)

    def card(share):
        return Machine(kind="cuda", free_device=math.ceil(share * plan.peak) + RESERVE, free_ram=GB)

    assert told(plan, card(1)) == f"{plan}; {size_text(plan.peak)} are free"
    line = told(plan, card(0.4))
    words = 'keep_activations = false and quantize = "int8" and rank = 8'
    smaller = lora(rank=8, quantize="int8")
    again = training_plan(replace(planned, config=smaller))
    assert again.peak <= card(0.4).budget
    free = f"{size_text(card(0.4).budget)} are free"
    assert line == f"{plan}; {free}. That does not fit: it would with {words} ({size_text(again.peak)})"
    least = training_plan(replace(planned, config=replace(smaller, rank=4)))
    assert told(least, Machine(kind="cpu", free_ram=1000)).endswith("no setting but smaller pictures (side) helps")
    assert [each.words for each in remedies(plan, card(0.8))] == ["keep_activations = false", "rank = 32"]


def test_as_few_layers_stream_as_are_enough():
    network = replace(NETWORK, n_layers=10)
    planned = Planned(network=network, dtype=torch.bfloat16, config=lora(), batch=batch_of(network, (16, 16), 20))
    plan = training_plan(planned)
    words, made = streamed(plan, plan.peak - 3 * plan.layer)  # two layers are in the slots, and counts are even
    assert words == "stream = 6" and made.peak == plan.peak - 4 * plan.layer
    parts = partition(S3DiT(network, device="meta", dtype=torch.bfloat16), n_resident=4)
    held = sum(tensor.nbytes for tensor in (*parts.resident, *parts.preparation))
    assert made.weights == held + 2 * plan.layer
