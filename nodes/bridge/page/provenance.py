"""What drew a picture, in a few plain facts beside the graph that ComfyUI writes into every PNG.

The facts are read from the queued prompt and from the headers of its files, so they are there too when ComfyUI takes
the picture from its cache, and a ComfyUI told to save no metadata saves none of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ....zimage_core.sampling import BASE, TURBO, Preset
from ..loading import files, inspection, repack
from ..patches import loras, optimize
from ..tasks import sampling
from .prompt_graph import Node, Prompt, inputs_of, upstream, value_in

KEY = "zimage"
SAMPLERS: dict[str, Preset] = {"ZImageTurboSampler": TURBO, "ZImageSampler": BASE}
TOLD = ("seed", "steps", "cfg", "solver", "shift", "strength")
MODEL_FILES = ("model_name", "unet_name", "ckpt_name", "gguf_name")  # as our loader and others' name the widget
ENCODER_FILES = ("text_encoder_name", "clip_name", "clip_name1")
STEP_CACHES = {"ZImageStepCache": "a step cache", "EasyCache": "EasyCache", "LazyCache": "LazyCache"}

Facts = dict[str, Any]


def on_prompt(request: dict[str, Any]) -> dict[str, Any]:
    """ComfyUI's hook on everything queued: facts go where its savers look for text to write into a picture."""
    prompt = request.get("prompt")
    if isinstance(prompt, dict) and (facts := list(facts_of(prompt))):
        extra = request.setdefault("extra_data", {})
        extra["extra_pnginfo"] = {**(extra.get("extra_pnginfo") or {}), KEY: facts}
    return request


def facts_of(prompt: Prompt) -> Iterator[Facts]:
    """The facts of every sampler of ours in a prompt."""
    for node_id, node in prompt.items():
        preset = SAMPLERS.get(node.get("class_type", ""))
        if preset is not None:
            yield {"sampler": node_id, **_run(prompt, node, preset), **_made_of(prompt, node_id)}


def _run(prompt: Prompt, node: Node, preset: Preset) -> Facts:
    """The run itself; what only running tells is left out."""
    known = {name: value_in(prompt, value) for name, value in inputs_of(node).items()}
    told = {"cfg": preset.cfg} | {name: known[name] for name in TOLD if known.get(name) is not None}
    return told | _evaluations({**told, **known})


def _evaluations(values: Mapping[str, Any]) -> Facts:
    try:
        return {"evaluations": sampling.planned_evaluations(values)}
    except (KeyError, TypeError, ValueError):  # a value only running tells, or one the node will refuse
        return {}


def _made_of(prompt: Prompt, node_id: str) -> Facts:
    """Files, and everything that made the run faster at a price."""
    chain = list(upstream(prompt, node_id, "model", only="model"))
    lossy = [sentence for node in [prompt[node_id], *chain] for sentence in _lossy(prompt, node)]
    encoder = _file(prompt, upstream(prompt, node_id, "positive"), ENCODER_FILES)
    facts = {
        **_model(prompt, chain),
        "text_encoder": encoder,
        "loras": [lora for node in reversed(chain) for lora in _loras(prompt, node)],
        "lossy": lossy,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _model(prompt: Prompt, chain: Iterable[Node]) -> Facts:
    name = _file(prompt, chain, MODEL_FILES)
    if name is None:
        return {}
    return {"model": name, **inspection.origin(name)}


def _file(prompt: Prompt, nodes: Iterable[Node], widgets: Iterable[str]) -> str | None:
    """The nearest file that a widget of one of these names holds."""
    values = (value_in(prompt, inputs_of(node).get(name)) for node in nodes for name in widgets)
    return next((value for value in values if isinstance(value, str)), None)


def _loras(prompt: Prompt, node: Node) -> Iterator[Facts]:
    """The LoRAs of our loader's rows, or of a stock loader."""
    inputs = inputs_of(node)
    for name, strength in (*loras.ROWS, ("lora_name", "strength_model")):
        file, weight = value_in(prompt, inputs.get(name)), value_in(prompt, inputs.get(strength))
        if isinstance(file, str) and file != files.NO_LORA and weight != 0:
            yield {"file": file, "strength": weight}


def _lossy(prompt: Prompt, node: Node) -> Iterator[str]:
    """A few words for each lever of a node that trades exactness for time."""
    values = {name: value_in(prompt, value) for name, value in inputs_of(node).items()}
    if values.get("precision") == repack.INT8:
        yield "main layers in int8"
    if str(values.get("weight_dtype", "")).startswith("fp8"):
        yield f"weights cast to {values['weight_dtype']}"
    if values.get("attention") == optimize.SAGE:
        yield "SageAttention"
    if values.get("caching") == optimize.STEPS:
        yield "a step cache, which may skip evaluations"
    if node.get("class_type") in STEP_CACHES and values.get("threshold", values.get("reuse_threshold")) != 0:
        yield f"{STEP_CACHES[node['class_type']]}, which may skip evaluations"
    if values.get("cfg_truncation", 1.0) != 1.0:
        yield f"guidance ends at {values['cfg_truncation']}"
    if values.get("cfg_start", 0.0) != 0.0:
        yield f"guidance starts at {values['cfg_start']}"
