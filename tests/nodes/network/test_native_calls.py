"""Nodes that call, replace or hook native's blocks change our picture as they change native's."""

import importlib
import inspect

import pytest
import torch

from native_pictures import draw, same

# Where a neighbour calls or replaces one of these on ours, it works.
SUPPORTED = {
    "NextDiT": {"forward", "_forward"},
    "JointTransformerBlock": {"forward"},
    "FeedForward": {"forward"},
}
# The rest, and why not. A name that native gains is in neither, and must be decided on.
LEFT_OUT = {
    "NextDiT": {  # steps of native's forward: ours does not take them, so they are absent and a neighbour fails aloud
        "unpatchify",
        "embed_cap",
        "embed_all",
        "patchify_and_embed",
    },
    "JointAttention": {"forward"},  # ours takes queries' and keys' norms with it; `attn1_patch` is the way in
    "FeedForward": {"_forward_silu_gating"},  # one kernel with the quantization after it
    "FinalLayer": {"forward"},  # ours gets the scale, computed once for a noise level
}


def methods(kind):
    return {name for name, value in vars(kind).items() if inspect.isfunction(value) and not name.startswith("__")}


@pytest.fixture
def lumina(comfy):
    return importlib.import_module("comfy.ldm.lumina.model")


def test_every_method_of_natives_classes_is_supported_or_left_out_with_a_reason(lumina, native):
    for name in SUPPORTED | LEFT_OUT:
        assert methods(getattr(lumina, name)) == SUPPORTED.get(name, set()) | LEFT_OUT.get(name, set()), name
    built = {
        type(module).__name__ for module in native.network().modules() if type(module).__module__ == lumina.__name__
    }
    assert built == set(SUPPORTED | LEFT_OUT)


def test_supported_methods_take_natives_arguments_in_natives_order(lumina, models):
    ours = models.ours.model.diffusion_model
    parts = {"NextDiT": ours, "JointTransformerBlock": ours.layers[0], "FeedForward": ours.layers[0].feed_forward}
    for name, supported in SUPPORTED.items():
        for method in supported:
            theirs = list(inspect.signature(getattr(getattr(lumina, name), method)).parameters)[1:]
            mine = list(inspect.signature(getattr(type(parts[name]), method)).parameters)[1:]
            theirs = [each for each in theirs if each != "kwargs"]
            assert mine[: len(theirs)] == theirs, f"{name}.{method}"


def bent(out):
    """A change that no norm after it takes back."""
    return out * torch.linspace(0.8, 1.3, out.shape[-1])


@pytest.fixture(scope="module")
def plain(native, models):
    return draw(native, models.native, steps=2)


def replaces(model, change, index=1):
    """As block swap, caches and skip-layer packs do: a function of native's signature instead of `forward`."""
    key = f"diffusion_model.layers.{index}.forward"
    original = model.get_model_object(key)

    def forward(x, x_mask, freqs_cis, adaln_input=None, timestep_zero_index=None, transformer_options=None):
        def call(tokens):
            return original(
                tokens, x_mask, freqs_cis, adaln_input, timestep_zero_index, transformer_options=transformer_options
            )

        return change(call, x)

    model.add_object_patch(key, forward)


def bends(model):
    replaces(model, lambda call, x: bent(call(x)))


def skips(model):
    replaces(model, lambda call, x: x)


def repeats(model):
    replaces(model, lambda call, x: call(call(x)))


def calls_another(model):
    def forward(x, *arguments, **keywords):
        other = model.model.diffusion_model.layers[0]
        return original(other(x, *arguments, **keywords), *arguments, **keywords)

    original = model.get_model_object("diffusion_model.layers.1.forward")
    model.add_object_patch("diffusion_model.layers.1.forward", forward)


def refines_again(model):
    """A block without modulation."""
    original = model.get_model_object("diffusion_model.context_refiner.1.forward")

    def forward(x, x_mask, freqs_cis, adaln_input=None, timestep_zero_index=None, transformer_options=None):
        assert adaln_input is None
        return original(x, x_mask, freqs_cis, transformer_options=transformer_options).roll(1, dims=1)

    model.add_object_patch("diffusion_model.context_refiner.1.forward", forward)


@pytest.mark.parametrize("change", [bends, skips, repeats, calls_another, refines_again])
@pytest.mark.parametrize("kind", ["ours", "attached"])
def test_a_block_whose_forward_is_replaced_gives_natives_picture(native, models, plain, kind, change):
    def run(model):
        clone = model.clone()
        change(clone)
        return draw(native, clone, steps=2)

    expected = run(models.native)
    assert (expected - plain).abs().max() > 0.02
    same(run(getattr(models, kind)), expected)
    same(draw(native, getattr(models, kind), steps=2), plain)  # nothing stays


@pytest.mark.parametrize("part", ["layers.1", "layers.0.attention.qkv", "noise_refiner.0", "layers.1.feed_forward.w2"])
@pytest.mark.parametrize("kind", ["ours", "attached"])
def test_a_hook_gives_natives_picture(native, models, plain, kind, part):
    def run(model):
        module = model.model.diffusion_model.get_submodule(part)
        handle = module.register_forward_hook(lambda module, given, out: bent(out))
        try:
            return draw(native, model, steps=2)
        finally:
            handle.remove()

    expected = run(models.native)
    assert (expected - plain).abs().max() > 0.005
    same(run(getattr(models, kind)), expected)


@pytest.mark.parametrize("kind", ["ours", "attached"])
def test_attention_patches_reach_a_replaced_block(native, models, kind):
    seen = []
    clone = getattr(models, kind).clone()
    replaces(clone, lambda call, x: call(x))
    clone.set_model_patch(lambda given: seen.append(given["block_index"]) or given, "double_block")
    draw(native, clone, steps=1)
    assert seen == [0, 1]


def test_a_block_called_with_a_mask_gives_natives_tokens(models):
    generator = torch.Generator().manual_seed(2)
    x, time = (torch.randn(1, *shape, generator=generator) for shape in ((9, 256), (256,)))
    mask = torch.zeros(1, 1, 9, 9)
    mask[..., 6:] = -torch.inf
    theirs, ours = (getattr(models, kind).model.diffusion_model for kind in ("native", "ours"))
    rope = theirs.rope_embedder(torch.arange(27).reshape(1, 9, 3)).movedim(1, 2)
    for given in (mask, None):
        expected = theirs.layers[0](x, given, rope, time, transformer_options={})
        torch.testing.assert_close(ours.layers[0](x, given, rope, time, transformer_options={}), expected)


@pytest.mark.parametrize("kind", ["ours", "attached"])
def test_recorded_steps_are_refused_while_a_block_is_replaced(native, models, kind):
    name = "zimage_pack.nodes.bridge.network"
    graphs, attach = (importlib.import_module(f"{name}.{each}") for each in ("cuda_graphs", "attach"))
    model = getattr(models, kind)
    draw(native, model, steps=1)  # takes another clone's patches off
    network, block = attach.running_network(model), model.model.diffusion_model.layers[0]
    assert graphs._change_in_layers(network) is None
    block.forward = lambda *given, **named: given[0]
    try:
        assert graphs._change_in_layers(network) == "a node replaces the work of a block"
    finally:
        del block.forward
