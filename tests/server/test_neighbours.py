"""Stock nodes on our MODEL in a real server: where one should change nothing, or say the same twice, not a pixel moves.

That they change what they should, as native's model does, is tested step for step in
tests/nodes/network/test_neighbours.py.
"""

from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from prompt_graphs import custom_sampler, encode, ksampler, loaders, node

PROMPT = "a large blue star in the middle on white"


def graph(**nodes: Any) -> dict[str, Any]:
    """A prompt graph with the built-in model, two prompts and the stock KSampler, updated with `nodes`."""
    return {
        **loaders(),
        "positive": encode(PROMPT),
        "negative": encode(""),
        "latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1),
        "sampler": ksampler(),
        "decode": node("ZImageVAEDecode", latent=["sampler", 0], vae=["vae", 0], tile_size=0),
        **nodes,
    }


@pytest.fixture
def draw(run):
    """A function that runs a prompt graph and returns the picture."""
    count = 0

    def picture(**nodes: Any) -> bytes:
        nonlocal count
        count += 1
        save = node("SaveImage", images=["decode", 0], filename_prefix=f"neighbour{count}")
        outcome = run(graph(**nodes, save=save))
        assert outcome.error is None, outcome.error
        return Image.open([file for file in outcome.files if "neighbour" in file.name][0]).tobytes()

    return picture


def through(name: str, **inputs: Any) -> dict[str, Any]:
    """The prompt graph with a model patch between loader and sampler."""
    first = "model1" if "model2" in inputs else "model"
    return {"between": node(name, **{first: ["model", 0]}, **inputs), "sampler": ksampler("between")}


NEUTRAL = {
    "ScaleROPE": {"scale_x": 1.0, "shift_x": 0.0, "scale_y": 1.0, "shift_y": 0.0, "scale_t": 1.0, "shift_t": 0.0},
    "ModelMergeSimple": {"model2": ["model", 0], "ratio": 0.5},
    "EasyCache": {"reuse_threshold": 0.0, "start_percent": 0.15, "end_percent": 0.95, "verbose": False},
    "LazyCache": {"reuse_threshold": 0.0, "start_percent": 0.15, "end_percent": 0.95, "verbose": False},
    "DifferentialDiffusion": {"strength": 1.0},
    "ZImageAttach": {},
}


@pytest.mark.parametrize("name", NEUTRAL)
def test_a_node_at_its_neutral_setting_changes_no_pixel(draw, name):
    assert draw(**through(name, **NEUTRAL[name])) == draw()


CHANGES = {
    "ScaleROPE": {**NEUTRAL["ScaleROPE"], "scale_x": 0.5},
    "ModelSamplingAuraFlow": {"shift": 6.0},
    "RescaleCFG": {"multiplier": 1.0},
    "EasyCache": {**NEUTRAL["EasyCache"], "reuse_threshold": 3.0, "start_percent": 0.0, "end_percent": 1.0},
    "SkipLayerGuidanceDiT": {
        **{"double_layers": "3", "single_layers": "", "scale": 3.0, "start_percent": 0.0, "end_percent": 1.0},
        "rescaling_scale": 0.0,
    },
    "NAGuidance": {"nag_scale": 5.0, "nag_alpha": 0.5, "nag_tau": 1.5},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_node_with_an_effect_changes_the_picture(draw, name):
    assert draw(**through(name, **CHANGES[name])) != draw()


def test_sampling_in_two_parts_is_sampling_at_once(draw):
    common = {
        "model": ["model", 0],
        "noise_seed": 5,
        "steps": 4,
        "cfg": 2.0,
        "sampler_name": "euler",
        "scheduler": "simple",
        "positive": ["positive", 0],
        "negative": ["negative", 0],
    }
    first = node(
        "KSamplerAdvanced",
        **common,
        latent_image=["latent", 0],
        add_noise="enable",
        start_at_step=0,
        end_at_step=2,
        return_with_leftover_noise="enable",
    )
    second = node(
        "KSamplerAdvanced",
        **common,
        latent_image=["first", 0],
        add_noise="disable",
        start_at_step=2,
        end_at_step=10000,
        return_with_leftover_noise="disable",
    )
    assert close(draw(first=first, sampler=second), draw())


def test_custom_sampling_is_the_stock_sampler(draw):
    guider = {"model": ["model", 0], "positive": ["positive", 0], "negative": ["negative", 0], "cfg": 2.0}
    custom = {
        "guider": node("CFGGuider", **guider),
        "noise": node("RandomNoise", noise_seed=5),
        "select": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("BasicScheduler", model=["model", 0], scheduler="simple", steps=4, denoise=1.0),
        "sampler": custom_sampler(),
    }
    assert draw(**custom) == draw()


def test_two_scheduled_prompts_that_are_the_same_are_one_prompt(draw):
    early = node("ConditioningSetTimestepRange", conditioning=["positive", 0], start=0.0, end=0.5)
    late = node("ConditioningSetTimestepRange", conditioning=["positive", 0], start=0.5, end=1.0)
    both = node("ConditioningCombine", conditioning_1=["early", 0], conditioning_2=["late", 0])
    sampler = ksampler(positive=["both", 0])
    assert draw(early=early, late=late, both=both, sampler=sampler) == draw()


def test_inpainting_keeps_what_the_mask_keeps(run, draw):
    """A mask of zeros keeps the whole latent, a mask of ones none of it."""
    latent = {"picture": node("EmptyImage", width=64, height=64, batch_size=1, color=0xFF8000)}
    latent["kept"] = node("ZImageVAEEncode", image=["picture", 0], vae=["vae", 0])
    plain = draw(**latent, decode=node("ZImageVAEDecode", latent=["kept", 0], vae=["vae", 0], tile_size=0))
    for value, is_kept in ((0.0, True), (1.0, False)):
        mask = node("SolidMask", value=value, width=64, height=64)
        masked = node("SetLatentNoiseMask", samples=["kept", 0], mask=["mask", 0])
        drawn = draw(**latent, mask=mask, masked=masked, sampler=ksampler(latent_image=["masked", 0]))
        assert close(drawn, plain) == is_kept


def test_a_saved_model_draws_the_same(server, run, draw):
    assert run({**loaders(), "save": node("ModelSave", model=["model", 0], filename_prefix="diffusion_models/n")})
    [saved] = [name for name in model_names(server) if "n_0000" in name]
    loader = node("ZImageModelLoader", model_name=saved, precision="automatic")
    assert draw(model=loader) == draw()


def model_names(server) -> list[str]:
    return server.get("/object_info/ZImageModelLoader")["ZImageModelLoader"]["input"]["required"]["model_name"][1][
        "options"
    ]


@pytest.fixture(scope="module")
def lora(server):
    """A LoRA for the built-in model in ComfyUI's naming."""
    folder = server.base / "models/loras"
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    sides = {"lora_A.weight": (4, 192), "lora_B.weight": (576, 4)}
    names = {f"diffusion_model.layers.2.attention.qkv.{side}": shape for side, shape in sides.items()}
    state = {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in names.items()}
    save_file(state, folder / "server.safetensors")
    return "server.safetensors"


def test_the_stock_lora_loader_acts_and_a_hook_of_the_same_lora_acts_alike(draw, lora):
    loaded = through("LoraLoaderModelOnly", lora_name=lora, strength_model=1.0)
    properties = {"hooks": ["hook", 0], "strength": 1.0, "set_cond_area": "default"}
    prompts = {"positive_NEW": ["positive", 0], "negative_NEW": ["negative", 0]}
    hooked = {
        "hook": node("CreateHookLoraModelOnly", lora_name=lora, strength_model=1.0),
        "pair": node("PairConditioningSetProperties", **prompts, **properties),
        "sampler": ksampler(positive=["pair", 0], negative=["pair", 1]),
    }
    assert draw(**loaded) != draw()
    assert close(draw(**hooked), draw(**loaded))


def close(one: bytes, other: bytes) -> bool:
    """Equal up to rounding to 8 bits."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 1


def test_our_lora_loader_draws_what_the_stock_one_draws(draw, lora):
    stock = through("LoraLoaderModelOnly", lora_name=lora, strength_model=0.7)
    rows = {f"lora_{row}": "none" for row in (2, 3, 4)} | {f"strength_{row}": 1.0 for row in (2, 3, 4)}
    ours = through("ZImageLoraLoader", lora_1=lora, strength_1=0.7, **rows)
    assert close(draw(**ours), draw(**stock))


def test_a_file_is_inspected_and_a_lora_converted_on_the_server(server, run, lora):
    told = {}

    def listen(kind, data):
        if kind == "executed":
            told[data["node"]] = str(data["output"])

    outcome = run(
        {
            "inspect": node("ZImageInspectFile", file="vae/sdxl_vae.safetensors"),
            "convert": node("ZImageConvertLora", lora_name=lora, naming="diffusers", filename_prefix="loras/written"),
        },
        listen,
    )
    assert outcome.error is None, outcome.error
    assert "another autoencoder" in told["inspect"]
    assert [file.parent.name for file in server.output.rglob("written_*.safetensors")] == ["loras"]


def test_a_lora_trained_in_two_steps_acts(server, draw):
    """The training set is the latent of a uniform picture."""
    train = node(
        "TrainLoraNode",
        **{
            **defaults(server, "TrainLoraNode"),
            **{"model": ["model", 0], "latents": ["kept", 0], "positive": ["positive", 0]},
            **{"steps": 2, "learning_rate": 0.1, "training_dtype": "fp32", "lora_dtype": "fp32"},
        },
    )
    apply = node("LoraModelLoader", model=["model", 0], lora=["train", 0], strength_model=1.0, bypass=False)
    training = {
        "picture": node("EmptyImage", width=64, height=64, batch_size=1, color=0xFF8000),
        "kept": node("ZImageVAEEncode", image=["picture", 0], vae=["vae", 0]),
        "train": train,
        "apply": apply,
    }
    assert draw(**training, sampler=ksampler("apply")) != draw()


def defaults(server, kind: str) -> dict[str, Any]:
    """Default values of a stock node's widgets."""
    widgets = server.get(f"/object_info/{kind}")[kind]["input"]["required"]
    found = {}
    for name, (typ, *rest) in widgets.items():
        settings = rest[0] if rest else {}
        choices = typ if isinstance(typ, list) else settings.get("options", [None])
        value = settings.get("default", choices[0])
        if value is not None:
            found[name] = value
    return found
