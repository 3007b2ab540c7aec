"""Captions are refined once a run, never with stale words: counted at the context refiner's blocks."""

from types import SimpleNamespace

import pytest
import torch

STEPS = 4


@pytest.fixture(scope="module")
def our_model(pack, native, tmp_path_factory):
    return native.ours(pack, tmp_path_factory.mktemp("models"))


@pytest.fixture
def refined(our_model):
    """The captions' tokens of every call of the first block of the context refiner."""
    calls = []
    block = our_model.model.diffusion_model.context_refiner[0]

    def see(module, inputs, kwargs):
        calls.append(inputs[0].clone())

    handle = block.register_forward_pre_hook(see, with_kwargs=True)
    yield calls
    handle.remove()


def draw(comfy, native, model, *, cfg=1.0, words=(20, 25)):
    positive, negative = (native.conditioning(n, seed) for seed, n in enumerate(words))
    noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(3))
    settings = (STEPS, cfg, "euler", "simple", positive, negative)
    return comfy.sample.sample(model, noise, *settings, torch.zeros(1, 16, 8, 8), disable_pbar=True)


@pytest.mark.slow
def test_each_prompt_is_refined_once_a_run(comfy, native, our_model, refined):
    draw(comfy, native, our_model)
    assert len(refined) == 1
    draw(comfy, native, our_model, cfg=3.0)  # both prompts fit one batch
    assert [len(tokens) for tokens in refined[1:]] == [2]
    draw(comfy, native, our_model, cfg=3.0, words=(20, 40))  # two lengths, two evaluations a step
    assert [tokens.shape[1] for tokens in refined[2:]] in ([32, 64], [64, 32])


def test_a_stock_model_with_our_forward_attached_refines_once_a_run_too(comfy, native, pack):
    attached = pack.bridge_attach.attach(native.model())
    ours = attached.object_patches["diffusion_model._forward"].__self__
    calls = []
    ours.context_refiner[0].register_forward_hook(lambda *_: calls.append(1))
    draw(comfy, native, attached, cfg=3.0)
    assert len(calls) == 1


@pytest.mark.slow
def test_the_norms_of_modulated_blocks_tell_their_weights_once_a_run(comfy, native, our_model):
    calls = []
    handle = our_model.model.diffusion_model.layers[0].attention_norm1.register_forward_hook(lambda *_: calls.append(1))
    draw(comfy, native, our_model)
    handle.remove()
    assert len(calls) == 1


def test_another_run_refines_again_since_weights_may_have_changed(comfy, native, our_model, refined):
    first = draw(comfy, native, our_model)
    changed = our_model.clone()
    key = "diffusion_model.context_refiner.0.feed_forward.w2.weight"
    weight = our_model.model.diffusion_model.context_refiner[0].feed_forward.w2.weight
    changed.add_patches({key: ("diff", (torch.ones_like(weight),))}, 0.5)
    assert not torch.equal(draw(comfy, native, changed), first)
    assert torch.equal(draw(comfy, native, our_model), first)
    assert len(refined) == 3


def test_words_a_wrapper_exchanges_during_the_run_are_refined_anew(comfy, native, our_model, refined):
    others = iter(range(STEPS))

    def wrapper(executor, x, timesteps, context, *args, **kwargs):
        return executor(x, timesteps, context + next(others), *args, **kwargs)

    model = our_model.clone()
    model.add_wrapper(comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, wrapper)
    draw(comfy, native, model)
    assert len(refined) == STEPS
    assert all(not torch.equal(a, b) for a, b in zip(refined, refined[1:], strict=False))


def test_an_attention_override_sees_every_refinement(comfy, native, our_model, refined):
    model = our_model.clone()
    options = model.model_options["transformer_options"]
    options["optimized_attention_override"] = lambda original, *args, **kwargs: original(*args, **kwargs)
    plain = draw(comfy, native, our_model)
    assert torch.equal(draw(comfy, native, model), plain)
    assert len(refined) == 1 + STEPS


def test_nothing_outlives_the_run(comfy, native, our_model, monkeypatch):
    import weakref

    kept = []
    prepare = type(our_model.model.diffusion_model).prepare

    def watched(self, *args, **kwargs):
        condition = prepare(self, *args, **kwargs)
        kept.append(weakref.ref(condition.caption.untyped_storage()))
        return condition

    monkeypatch.setattr(type(our_model.model.diffusion_model), "prepare", watched)
    draw(comfy, native, our_model)
    assert len(kept) == 1
    assert kept[0]() is None


def with_a_picture(native, n, seed):
    """Conditioning with one reference: its latent, its features, words before and after it."""
    generator = torch.Generator().manual_seed(99)  # the same picture for every prompt
    [[features, _]] = native.conditioning(n, seed)
    seen = SimpleNamespace(
        last_hidden_state=torch.randn(1, 16, native.OMNI.siglip_feat_dim, generator=generator),
        image_sizes=[(3, 64, 64)],
    )
    words = [torch.randn(1, length, native.OMNI.cap_feat_dim, generator=generator) for length in (4, 3)]
    picture = {"reference_latents": [torch.randn(1, 16, 8, 8, generator=generator)]}
    return [[features, {**picture, "reference_latents_text_embeds": words, "clip_vision_outputs": [seen]}]]


@pytest.mark.slow
@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_reference_pictures_are_embedded_and_refined_once_a_run(comfy, pack, native, tmp_path, cfg):
    model = native.ours(pack, tmp_path, native.OMNI)
    network, calls = model.model.diffusion_model, []
    network.siglip_refiner[0].register_forward_hook(lambda *_: calls.append(1))
    noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(3))
    prompts = [with_a_picture(native, n, seed) for seed, n in enumerate((20, 25))]
    settings = (STEPS, cfg, "euler", "simple", *prompts, torch.zeros(1, 16, 8, 8))

    def draw():
        calls.clear()
        return comfy.sample.sample(model, noise, *settings, disable_pbar=True)

    once = draw()
    assert len(calls) == 1
    other = model.clone()
    options = other.model_options["transformer_options"]
    options["optimized_attention_override"] = lambda original, *args, **kwargs: original(*args, **kwargs)
    calls.clear()
    anew = comfy.sample.sample(other, noise, *settings, disable_pbar=True)
    assert len(calls) == STEPS
    assert torch.equal(once, anew)
