"""A LoRA in training: the arithmetic of diffusers' script, and nothing but rounding for every way to save memory."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

import tiny
from zimage_core.adapters import injected
from zimage_core.checkpoints import DIT_DIFFUSERS, read_lora
from zimage_core.training import Recipe
from zimage_core.training.encoded import EncodedExample, EncodedPicture
from zimage_core.training.flow_training import FlowMatching, TrainingSet, flow_matching_step, train_examples
from zimage_core.training.loop.micro_batches import Noised, micro_batches
from zimage_core.training.loop.order import chosen_examples
from zimage_core.training.lora_file import write_lora
from zimage_core.training.objectives.noised import losses_of
from zimage_core.training.trainables import KINDS, LoraTrainable
from zimage_core.training.trainables.branch import Place
from zimage_core.training.trainables.dora_branch import DoraBranch

SHAPES = [(17, 8, 8), (20, 8, 8), (40, 8, 8), (9, 8, 12)]  # caption tokens, latent height and width


def lora_on(dit, kind="lora", rank=3, alpha=6.0):
    return LoraTrainable(dit, rank=rank, alpha=alpha, generator=torch.Generator().manual_seed(2), kind=kind)


def randomized(lora):
    """As if it had been trained."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in lora.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return lora


@pytest.fixture
def noised(generator):
    def drawn(*shape):
        return torch.randn(*shape, generator=generator)

    levels = [torch.rand((), generator=generator) for _ in SHAPES]
    return [
        Noised(drawn(16, h, w), drawn(16, h, w), level, drawn(n, 48))
        for (n, h, w), level in zip(SHAPES, levels, strict=True)
    ]


@pytest.fixture
def dataset(noised):
    examples = [
        EncodedExample(EncodedPicture(each.x0, torch.full_like(each.x0, -3.0)), (each.caption, each.caption + 1))
        for each in noised
    ]
    return TrainingSet(examples=examples, no_caption=torch.ones(5, 48))


def gradients(dit, lora, groups, **options):
    lora.zero_grad()
    with lora.attached():
        for group in groups:
            (losses_of(dit, group, **options)[0].sum() / 4).backward()
    return [parameter.grad.clone() for parameter in lora.parameters()]


def test_one_step_is_that_of_diffusers_script(noised):
    """Its loss is the mean of (-prediction - (noise - latents))², at network time 1 - sigma, and AdamW follows."""
    pytest.importorskip("diffusers")
    networks = pytest.importorskip("bench.systems.diffusers_networks")
    dit, group = tiny.dit(), noised[:2]
    lora = randomized(lora_on(dit))
    reference = networks.build_transformer(tiny.DIT, tiny.dit().state_dict())
    factors = peft_branches(reference, lora)

    optimizer = torch.optim.AdamW([each for pair in factors.values() for each in pair], lr=1e-3, weight_decay=1e-2)
    sigma = torch.stack([each.sigma for each in group])
    x = [((1 - each.sigma) * each.x0 + each.sigma * each.noise)[:, None] for each in group]
    predicted = torch.stack(reference(x, 1 - sigma, [each.caption for each in group])[0])[:, :, 0]
    target = torch.stack([each.noise - each.x0 for each in group])
    expected = (-predicted - target).square().mean()
    expected.backward()
    optimizer.step()

    with lora.attached():
        loss = losses_of(dit, group)[0].mean()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
    loss.backward()
    torch.optim.AdamW(lora.parameters(), lr=1e-3, weight_decay=1e-2).step()
    for (name, part), (down, up) in factors.items():
        branch = lora.branches[lora.names.index(name)]
        torch.testing.assert_close(branch.down[part], down, atol=1e-5, rtol=0)
        torch.testing.assert_close(branch.up[part], up, atol=1e-5, rtol=0)


def peft_branches(reference, lora):
    """LoRA factors on diffusers' own layers, by our layer and part, as PEFT adds them."""
    factors = {}
    for name, branch in zip(lora.names, lora.branches, strict=True):
        published = list(DIT_DIFFUSERS.to_file({f"{name}.weight": torch.empty(3, 1, device="meta")}))
        for part, key in enumerate(published):
            down, up = (each[part].detach().clone().requires_grad_() for each in (branch.down, branch.up))
            reference.get_submodule(key.removesuffix(".weight")).register_forward_hook(
                lambda _, inputs, out, down=down, up=up: out + 2.0 * (inputs[0] @ down.T @ up.T)
            )
            factors[name, part] = down, up
    return factors


def test_small_batches_and_recomputed_blocks_have_the_gradients_of_the_whole(noised):
    dit = tiny.dit()
    lora = randomized(lora_on(dit))
    expected = gradients(dit, lora, micro_batches(noised, 10_000))
    for budget, options in ((1, {}), (10_000, {"saves_memory": True})):
        groups = list(micro_batches(noised, budget))
        assert len(groups) == (4 if budget == 1 else 3)
        for found, wanted in zip(gradients(dit, lora, groups, **options), expected, strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-5)


def test_the_step_of_a_budget_draws_what_every_other_draws(dataset):
    dit, seed = tiny.dit(), 4

    def loss(**changes):
        step_of = replace(FlowMatching(batch=4, caption_dropout=0.3), **changes)
        return sum(
            each.item() for each in flow_matching_step(dit, dataset, step_of, seed, 7, torch.Generator().manual_seed(1))
        )

    assert loss(token_budget=1) == pytest.approx(loss(token_budget=10_000), rel=1e-5)
    assert loss(caption_dropout=1.0) != pytest.approx(loss(caption_dropout=0.0), rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_adapter_changes_nothing_and_leaves_nothing_behind(noised, kind):
    dit = tiny.dit()
    lora, before = lora_on(dit, kind), losses_of(dit, noised[:2])[0]
    with lora.attached():
        assert torch.equal(losses_of(dit, noised[:2])[0], before)
    assert not any("forward" in vars(module) for module in dit.modules())
    assert sum(parameter.requires_grad for parameter in dit.parameters()) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("naming", ["ComfyUI", "diffusers"])
@torch.no_grad()
def test_the_file_gives_what_the_branches_gave(tmp_path, noised, naming, kind):
    dit = tiny.dit()
    lora = randomized(lora_on(dit, kind))
    with lora.attached():
        expected = losses_of(dit, noised[:2])[0]
    file = tmp_path / "new.safetensors"
    write_lora(lora.lora(file.name), file, {"modelspec.trigger_phrase": "zorp"}, naming)
    again = read_lora(file)
    assert again.metadata["modelspec.trigger_phrase"] == "zorp" and not again.unmatched
    with injected(dit, (again, 1.0)):
        torch.testing.assert_close(losses_of(dit, noised[:2])[0], expected, rtol=1e-4, atol=0)


@torch.no_grad()
def test_a_dora_is_that_of_its_paper():
    """W' = m · (W + s·BA) / |W + s·BA|, here of a layer with a bias, which keeps it."""
    layer, generator = torch.nn.Linear(24, 10), torch.Generator().manual_seed(0)
    branch = randomized(DoraBranch(Place(layer, 10, 24, 1), 3, 6.0, generator))
    changed = layer.weight + 2.0 * branch.direction.up[0] @ branch.direction.down[0]
    weight = branch.magnitude[:, None] * changed / changed.norm(dim=1, keepdim=True)
    x = torch.randn(5, 24, generator=generator)
    found = layer(x) + branch(x, layer(x))
    torch.testing.assert_close(found, torch.nn.functional.linear(x, weight, layer.bias))


def test_a_resumed_run_has_the_same_losses_and_curve(tmp_path, dataset):
    recipe = Recipe(steps=6, lr=1e-2, warmup_steps=1, save_every=2)

    def run(folder, stop=None):
        dit = tiny.dit()
        lora, found = lora_on(dit), []
        for progress in train_examples(
            dit, lora, dataset, FlowMatching(batch=2), recipe, folder, validated=dataset.examples[:1]
        ):
            found.append((progress.loss, progress.validation))
            if progress.step + 1 == stop:
                break
        return found, lora

    whole, expected = run(tmp_path / "whole")
    first, _ = run(tmp_path / "parts", stop=3)
    rest, lora = run(tmp_path / "parts")
    assert first + rest == whole and all(validation for _, validation in whole)
    for found, wanted in zip(lora.parameters(), expected.parameters(), strict=True):
        assert torch.equal(found, wanted)
    curves = [(tmp_path / name / "curve.jsonl").read_text() for name in ("whole", "parts")]
    assert curves[0] == curves[1] and len(curves[0].splitlines()) == 6


def test_another_way_to_train_is_another_run(tmp_path, dataset):
    recipe = Recipe(steps=2, lr=1e-2)
    dit = tiny.dit()
    list(train_examples(dit, lora_on(dit), dataset, FlowMatching(), recipe, tmp_path))
    with pytest.raises(ValueError, match="another recipe"):
        list(train_examples(dit, lora_on(dit), dataset, FlowMatching(batch=2), recipe, tmp_path))


def test_a_run_goes_on_with_other_settings_that_change_its_memory_alone(tmp_path, dataset):
    recipe = Recipe(steps=4, lr=1e-2, warmup_steps=1)

    def run(folder, n, budget, saves_memory):
        dit, step_of = tiny.dit(), FlowMatching(batch=4, token_budget=budget, saves_memory=saves_memory)
        steps = train_examples(dit, lora_on(dit), dataset, step_of, recipe, folder)
        losses = [progress.loss for progress in islice(steps, n)]
        steps.close()
        return losses

    whole = run(tmp_path / "whole", 4, 10_000, True)
    parts = run(tmp_path / "parts", 2, 10_000, True) + run(tmp_path / "parts", 2, 1, False)
    assert parts == pytest.approx(whole, rel=1e-5)


def test_every_epoch_sees_every_example_once():
    seen = [index for step in range(9) for index in chosen_examples(step, 4, 12, seed=1)]
    epochs = [seen[first : first + 12] for first in (0, 12, 24)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert chosen_examples(1, 7, 3, seed=1)[:2] == chosen_examples(2, 3, 3, seed=1)[1:]
