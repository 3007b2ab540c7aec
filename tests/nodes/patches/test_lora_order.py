"""A DoRA beside other files: each changes the model's own weight, whichever comes first, in our nodes and stock ones.

The reference is W + sum of strength · ΔW by definition, each ΔW from W itself.
"""

import itertools

import pytest
import torch
from safetensors.torch import save_file

from native_pictures import stock_node

KEY = "layers.1.feed_forward.w1"


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + 7 * shape[0] + shape[-1])) * 0.2


def pair(seed):
    return {"lora_A.weight": random(4, 256, seed=seed), "lora_B.weight": random(768, 4, seed=seed)}


STATES = {
    "dora": {**pair(1), "dora_scale": 1 + random(768, 1).abs()},
    "other dora": {**pair(2), "dora_scale": 1 + random(768, 1, seed=3).abs()},
    "lora": pair(4),
    "new value": {"set_weight": random(768, 256)},
}


@pytest.fixture(scope="module")
def files(lora_folder):
    for name, state in STATES.items():
        keyed = {f"diffusion_model.{KEY}.{ending}": tensor for ending, tensor in state.items()}
        save_file(keyed, lora_folder / f"{name}.safetensors")


def change(name, weight):
    state = STATES[name]
    if name == "new value":
        return state["set_weight"] - weight
    product = state["lora_B.weight"] @ state["lora_A.weight"]
    if name == "lora":
        return product
    updated = weight + product
    return state["dora_scale"] * updated / updated.norm(dim=1, keepdim=True) - weight


def patched(model):
    """The layer's weight as ComfyUI patches it."""
    key = f"diffusion_model.{KEY}.weight"
    return model.patch_weight_to_device(key, return_weight=True)


def add_one(use, model, name, loader):
    if loader == "ours":
        return use(model, (f"{name}.safetensors", 0.5))[0]
    return stock_node("nodes", "LoraLoaderModelOnly")(model=model, lora_name=f"{name}.safetensors", strength_model=0.5)[
        0
    ]


@pytest.mark.parametrize("lora_loader", ["ours", "stock"])
def test_nodes_in_any_order_give_the_sum_of_all_changes(native, use, files, lora_loader):
    model, weight = native.model(), native.weights()[f"{KEY}.weight"]
    wanted = weight + 0.5 * sum(change(name, weight) for name in STATES)
    for order in itertools.permutations(STATES):
        chain = model
        for name in order:
            chain = add_one(use, chain, name, lora_loader if name == "lora" else "ours")
        torch.testing.assert_close(patched(chain), wanted, atol=1e-5, rtol=0)


def test_one_node_in_any_order_gives_the_sum_too(native, use, files):
    model, weight = native.model(), native.weights()[f"{KEY}.weight"]
    wanted = weight + 0.5 * sum(change(name, weight) for name in STATES)
    for order in (list(STATES), list(STATES)[::-1]):
        together, _ = use(model, *((f"{name}.safetensors", 0.5) for name in order))
        torch.testing.assert_close(patched(together), wanted, atol=1e-5, rtol=0)


def test_after_a_merge_the_merged_weight_is_the_models_own(native, use, files):
    model, other, weight = native.model(), native.model(), native.weights()[f"{KEY}.weight"]
    with torch.no_grad():
        other.model.diffusion_model.get_parameter(f"{KEY}.weight").add_(random(768, 256, seed=9))
    (merged,) = stock_node("comfy_extras.nodes_model_merging", "ModelMergeSimple")(
        model1=model, model2=other, ratio=0.25
    )
    own = patched(merged)
    torch.testing.assert_close(own, weight + 0.75 * random(768, 256, seed=9), atol=1e-5, rtol=0)
    chain = add_one(use, add_one(use, merged, "lora", "stock"), "dora", "ours")
    wanted = own + 0.5 * (change("dora", own) + change("lora", own))
    torch.testing.assert_close(patched(chain), wanted, atol=1e-5, rtol=0)
