"""What stands in a picture is about the samplers that run, and reading a prompt takes little work whatever it holds."""

import importlib
import sys
from types import SimpleNamespace

import pytest

SAMPLER = {"steps": 1000, "cfg": 4.0, "solver": "heun", "shift": 6.0, "strength": 1.0, "seed": 1, "cfg_start": 0.05}


@pytest.fixture
def metadata(pack, monkeypatch):
    stock = importlib.import_module("nodes")
    classes = {"SaveImage": stock.SaveImage, "VAEDecode": stock.VAEDecode, "ZImageSampler": SimpleNamespace()}
    monkeypatch.setattr(stock, "NODE_CLASS_MAPPINGS", classes)
    return importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.page.metadata")


def sampler(**inputs):
    return {"class_type": "ZImageSampler", "inputs": {**SAMPLER, **inputs}}


def save(node_id):
    return {"class_type": "SaveImage", "inputs": {"images": [node_id, 0], "filename_prefix": "x"}}


def described(metadata, prompt, **request):
    extra = metadata.on_prompt({"prompt": prompt, **request}).get("extra_data", {}).get("extra_pnginfo", {})
    return [entry["sampler"] for entry in extra.get("zimage", [])]


def calls_of(function):
    """How many Python functions are called."""
    count = 0

    def profile(frame, event, argument):
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_only_samplers_that_lead_to_an_output_are_described(metadata):
    prompt = {
        "idle": sampler(),
        "first": sampler(),
        "second": sampler(latent=["first", 0]),
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["second", 0]}},
        "save": save("decode"),
        "third": sampler(),
        "other": save("third"),
    }
    assert described(metadata, prompt) == ["first", "second", "third"]
    assert described(metadata, prompt, partial_execution_targets=["other", ["x"], 3]) == ["third"]
    assert described(metadata, {**prompt, "other": {"class_type": "former id", "inputs": {"x": ["idle", 0]}}}) == [
        *("idle", "first", "second")
    ]


def test_samplers_that_never_run_cost_nothing_and_those_that_run_little(metadata, monkeypatch):
    planned = []
    count = metadata.samplers.sampling.planned_nfe
    monkeypatch.setattr(
        metadata.samplers.sampling, "planned_nfe", lambda values: planned.append(values) or count(values)
    )
    idle = {str(index): sampler() for index in range(600)}
    assert calls_of(lambda: metadata.on_prompt({"prompt": dict(idle)})) < 20 * 600
    assert not planned
    outputs = {f"save {index}": save(str(index)) for index in range(600)}
    assert calls_of(lambda: metadata.on_prompt({"prompt": {**idle, **outputs}})) < 100_000
    assert len(planned) == metadata.MOST_SAMPLERS


def test_a_cycle_and_a_long_chain_of_values_end(metadata):
    prompt = {
        "a": {"class_type": "x", "inputs": {"value": ["b", 0]}},
        "b": {"class_type": "x", "inputs": {"value": ["a", 0]}},
        "sampler": sampler(steps=["a", 0], model=["a", 0], latent=["sampler", 0]),
        "save": save("sampler"),
    }
    assert described(metadata, prompt) == ["sampler"]


NODES = (None, [], {}, {"class_type": []}, {"class_type": "x", "inputs": [1]})


@pytest.mark.parametrize("prompt", [None, [], "x", *({"1": node} for node in NODES)])
def test_what_is_no_prompt_is_left_to_comfyui(metadata, prompt):
    assert metadata.on_prompt({"prompt": prompt}) == {"prompt": prompt}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "x", None, [1], {}])
@pytest.mark.parametrize("name", ["steps", "cfg", "shift", "strength", "cfg_start", "solver"])
def test_impossible_values_are_described_without_a_count(metadata, name, value):
    request = metadata.on_prompt({"prompt": {"1": sampler(**{name: value}), "2": save("1")}})
    [entry] = request["extra_data"]["extra_pnginfo"]["zimage"]
    assert entry["sampler"] == "1" and ("evaluations" not in entry or (name, value) == ("cfg", None))


def loader(kind="ZImageModelLoader"):
    return {"class_type": kind, "inputs": {"model_name": "nano (built in)", "unet_name": "x.safetensors"}}


def stock(kind, **inputs):
    return {"class_type": kind, "inputs": inputs}


KSAMPLER = {"model": ["flow", 0], "steps": 4, "cfg": 2.0, "sampler_name": "heun", "scheduler": "beta"}
STOCK = {
    "KSampler": {"sampler": stock("KSampler", **KSAMPLER, seed=5, denoise=0.5)},
    "KSamplerAdvanced": {
        "sampler": stock(
            "KSamplerAdvanced",
            **{**KSAMPLER, "noise_seed": 5, "add_noise": "disable", "return_with_leftover_noise": "disable"},
            **{"start_at_step": 2, "end_at_step": 10000},
        )
    },
    "SamplerCustom": {
        "sampler": stock(
            "SamplerCustom",
            **{"model": ["flow", 0], "cfg": 2.0, "noise_seed": 5, "add_noise": True},
            **{"sampler": ["select", 0], "sigmas": ["schedule", 0]},
        ),
        "select": stock("KSamplerSelect", sampler_name="heun"),
        "schedule": stock("BasicScheduler", model=["flow", 0], scheduler="beta", steps=4, denoise=0.5),
    },
    "SamplerCustomAdvanced": {
        "sampler": stock(
            "SamplerCustomAdvanced",
            **{"noise": ["noise", 0], "guider": ["guider", 0], "sampler": ["select", 0], "sigmas": ["split", 1]},
        ),
        "noise": stock("RandomNoise", noise_seed=5),
        "guider": stock("CFGGuider", model=["flow", 0], cfg=2.0, positive=["words", 0]),
        "select": stock("KSamplerSelect", sampler_name="heun"),
        "split": stock("SplitSigmas", sigmas=["schedule", 0], step=1),
        "schedule": stock("ZImageSigmas", steps=4, shift=6.0, strength=0.5),
        "words": stock("ZImageTextEncode", clip=["encoder", 0], prompt="x"),
        "encoder": stock("ZImageTextEncoderLoader", text_encoder_name="nano (built in)"),
    },
}
EXPECTED = {
    "KSampler": {"scheduler": "beta", "denoise": 0.5, "shift": 1.5},
    "KSamplerAdvanced": {"scheduler": "beta", "shift": 1.5, "add_noise": "disable", "start_at_step": 2},
    "SamplerCustom": {"scheduler": "beta", "denoise": 0.5, "shift": 1.5},
    "SamplerCustomAdvanced": {"shift": 6.0, "strength": 0.5, "text_encoder": "nano (built in)", "prompt": "x"},
}


def facts_of(metadata, graph, kind):
    flow = stock("ModelSamplingAuraFlow", model=["model", 0], shift=1.5)
    prompt = {**graph, "flow": flow, "model": loader(kind), "save": save("sampler")}
    return metadata.on_prompt({"prompt": prompt}).get("extra_data", {}).get("extra_pnginfo", {}).get("zimage", [])


@pytest.mark.parametrize("name", STOCK)
def test_stock_samplers_are_described_where_the_model_is_ours(metadata, name):
    [entry] = facts_of(metadata, STOCK[name], "ZImageModelLoader")
    common = {"sampler": "sampler", "seed": 5, "steps": 4, "cfg": 2.0, "solver": "heun", "model": "nano (built in)"}
    known = {key: entry.pop(key) for key in ("release", "numbers", "loras", "lossy") if key in entry}
    assert entry == {**common, **EXPECTED[name]} and known["lossy"] == []
    assert facts_of(metadata, STOCK[name], "UNETLoader") == []


def test_our_samplers_name_the_part_of_the_steps_only_where_it_is_one(metadata):
    taken = {"add_noise": True, "start_at_step": 0, "end_at_step": 4, "return_with_leftover_noise": True}
    [entry] = facts_of(metadata, {"sampler": sampler(steps=10, cfg_start=0.0, **taken)}, "ZImageModelLoader")
    assert entry.items() >= {"end_at_step": 4, "return_with_leftover_noise": True, "evaluations": 16}.items()
    assert not entry.keys() & {"add_noise", "start_at_step"}


ASKED = {
    "one": stock("ZImageTextEncode", prompt="a fox", clip=["c", 0]),
    "two": stock("CLIPTextEncode", text=["words", 0], clip=["c", 0]),
    "words": stock("PrimitiveString", value="blur"),
    "empty": stock("ZImageEmptyLatent", ratio="3:2", megapixels=1.0, batch_size=1),
    "edit": stock("ZImageEditEncode", prompt="blue", negative_prompt="red", clip=["c", 0]),
    "zero": stock("ConditioningZeroOut", conditioning=["one", 0]),
    "joined": stock("CLIPTextEncode", text=["join", 0], clip=["c", 0]),
    "join": stock("StringConcatenate", string_a="a", string_b="b", delimiter=""),
    "photo": stock("VAEEncode", pixels=["resized", 0]),
    "resized": stock("ImageScale", width=640, height=320),
}
SOCKETS = [
    ({"positive": "one", "negative": "two", "latent": "empty"}, ("a fox", "blur", 1248, 832)),
    ({"positive": "edit", "negative": "edit", "latent": "photo"}, ("blue", "red", None, None)),
    ({"positive": "one", "negative": "zero"}, ("a fox", None, None, None)),
    ({"positive": "joined", "latent": "first"}, (None, None, 1248, 832)),
]


@pytest.mark.parametrize(("sockets", "expected"), SOCKETS)
def test_prompts_and_size_are_those_that_the_sockets_lead_to(metadata, sockets, expected):
    links = {name: [node, 0] for name, node in sockets.items()}
    graph = {**ASKED, "first": sampler(latent=["empty", 0]), "sampler": sampler(**links), "save": save("sampler")}
    entry = metadata.on_prompt({"prompt": graph})["extra_data"]["extra_pnginfo"]["zimage"][-1]
    assert tuple(entry.get(name) for name in ("prompt", "negative", "width", "height")) == expected


WHOLE, NO_STEP = {"start_percent": 0.0, "end_percent": 0.5}, {"start_percent": 0.5, "end_percent": 0.5}
NAG = {"scale": 3.0, "tau": 2.5, "alpha": 0.25}


@pytest.mark.parametrize(
    ("negative", "part", "named"),
    [("two", WHOLE, {"nag", "style"}), ("two", NO_STEP, set()), ("zero", WHOLE, {"style"})],
)
def test_what_steers_a_picture_is_named_where_it_acts_in_some_step(metadata, negative, part, named):
    graph = {
        **ASKED,
        "style": stock("ZImageStyleReference", model=["model", 0], strength=1.0, **part),
        "nag": stock("ZImageNAG", model=["style", 0], negative=[negative, 0], **NAG, **part),
        "diverse": stock("ZImageDiversity", conditioning=["one", 0], strength=0.5, **part),
        **{"sampler": sampler(model=["nag", 0], positive=["diverse", 0]), "model": loader(), "save": save("sampler")},
    }
    [entry] = metadata.on_prompt({"prompt": graph})["extra_data"]["extra_pnginfo"]["zimage"]
    assert entry.keys() & {"nag", "style"} == named and ("diversity" in entry) == (part is WHOLE)
    assert entry.get("style", {"strength": 1.0, **part}) == {"strength": 1.0, **part}
