"""PNG metadata about sampling: model files, settings and lossy options, next to the node graph that ComfyUI writes.

It is read from the queued prompt and from file headers, not from the run, so it is also there when ComfyUI takes the
image from its cache; what scores found (`score_results`) is added by the run. With
ComfyUI's --disable-metadata none of it is saved.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeGuard, cast

from ....zimage_core.checkpoints import parse_rows
from ..loading import files, inspection, repack
from ..patches import loras, optimize
from . import asked, samplers, score_results
from .prompt_graph import Node, Prompt, ancestors, inputs_of, upstream, value_in

KEY = score_results.KEY
MODEL_FILES = ("model_name", "unet_name", "ckpt_name", "gguf_name")  # file widgets of this pack's and other loaders
ENCODER_FILES = ("text_encoder_name", "clip_name", "clip_name1")
DIVERSITY = "ZImageDiversity"
DIVERSITY_SETTINGS = ("strength", "start_percent", "end_percent", "share", "seed", "protect", "protect_quoted")
LORA_LIST = "ZImageLoraList"
NAG = "ZImageNAG"
NAG_SETTINGS = ("scale", "tau", "alpha", "start_percent", "end_percent")
STYLE = "ZImageStyleReference"
STYLE_SETTINGS = ("strength", "start_percent", "end_percent")
TELLING = (  # nodes that add what only running them tells
    "ZImageScore",
    "ZImageEvaluate",
    "ZImagePickBest",
    "ZImageCompareModels",
    "ZImageLoraTest",
    "ZImageMergeSearch",
    asked.ENHANCER,
)
STEP_CACHES = {"ZImageStepCache": "a step cache", "EasyCache": "EasyCache", "LazyCache": "LazyCache"}

LARGE = {  # what draws beyond the model's own size, and its settings
    "ZImageTiledRefine": ("tile_size", "overlap"),
    "ZImageLargePicture": ("width", "height", "method", "detail"),
}

MOST_SAMPLERS = 100  # described in one picture; ComfyUI answers nobody while a prompt is read

Metadata = dict[str, Any]
Origin = Callable[[str], dict[str, str]]


def on_prompt(request: dict[str, Any]) -> dict[str, Any]:
    """ComfyUI's `on_prompt` handler: adds the metadata to `extra_pnginfo`, which its save nodes write into images."""
    prompt = request.get("prompt")
    if not is_prompt(prompt):  # ComfyUI refuses it after this
        return request
    running = ancestors(prompt, output_nodes(prompt, request.get("partial_execution_targets")))
    metadata = [*metadata_of(prompt, running), *score_results.known(prompt, running, TELLING)]
    if metadata or any(
        prompt[node_id]["class_type"] in TELLING for node_id in running
    ):  # which add theirs when they run
        extra = request.setdefault("extra_data", {})
        extra["extra_pnginfo"] = {**(extra.get("extra_pnginfo") or {}), **({KEY: metadata} if metadata else {})}
    return request


def is_prompt(prompt: Any) -> TypeGuard[Prompt]:
    """Whether a value has the shape of a prompt: nodes by id, each with a class and inputs by name."""
    return isinstance(prompt, dict) and all(
        isinstance(node, dict)
        and isinstance(node.get("class_type"), str)
        and isinstance(node.get("inputs") or {}, dict)
        for node in cast(dict[str, Any], prompt).values()
    )


def output_nodes(prompt: Prompt, targets: object) -> Iterator[str]:
    """The nodes for which ComfyUI runs a prompt: its output nodes, or those among `targets` if that is a list."""
    classes = sys.modules["nodes"].NODE_CLASS_MAPPINGS  # of ComfyUI's module, which loaded this pack
    asked = (
        {each for each in cast(list[Any], targets) if isinstance(each, str)} if isinstance(targets, list) else prompt
    )
    for node_id, node in prompt.items():
        cls = classes.get(node["class_type"])  # None for a former id, which ComfyUI replaces after this
        if node_id in asked and (cls is None or getattr(cls, "OUTPUT_NODE", False)):
            yield node_id


def metadata_of(prompt: Prompt, running: Collection[str]) -> Iterator[Metadata]:
    """An entry for each sampler with a MODEL of this pack, and each of its samplers, among those that run."""
    names = [name for name, node in prompt.items() if node["class_type"] in samplers.SAMPLERS and name in running]
    origin = cache(inspection.origin)  # a file's header is read once, however many samplers use it
    for name in names[:MOST_SAMPLERS]:
        chain = samplers.model_chain(prompt, name)
        if samplers.is_described(prompt[name], chain):
            yield _entry(prompt, name, chain, origin)


def last_sampler(prompt: Prompt, node_id: str) -> Metadata | None:
    """The entry of the one sampler, with any MODEL, that draws last before a node; None for none and for several."""
    names = [name for name in ancestors(prompt, [node_id]) if prompt[name]["class_type"] in samplers.SAMPLERS]
    earlier = {each for name in names for each in ancestors(prompt, [name]) - {name}}
    last = [name for name in names if name not in earlier]
    if len(last) != 1:
        return None
    return _entry(prompt, last[0], samplers.model_chain(prompt, last[0]), inspection.origin)


def prompt_before(hidden: Any) -> str:
    """The prompt of the one sampler that draws last before a node with these hidden inputs; empty if unknown."""
    if not hidden or not hidden.prompt or hidden.unique_id not in hidden.prompt:  # inside an expanded node
        return ""
    return prompt_of(hidden.prompt, hidden.unique_id)


def prompt_of(prompt: Prompt, node_id: str) -> str:
    """The prompt of the one sampler that draws last before a node; empty if unknown."""
    return str((last_sampler(prompt, node_id) or {}).get("prompt", ""))


def _entry(prompt: Prompt, name: str, chain: list[Node], origin: Origin) -> Metadata:
    wanted = {**asked.texts_of(prompt, name), **asked.regions_of(prompt, name), **asked.size_of(prompt, name)}
    settings = samplers.settings_of(prompt, name, chain)
    acting = {**_nag(prompt, chain), **_diversity(prompt, name), **_style(prompt, chain)}
    return {"sampler": name, **wanted, **acting, **settings, **_model_chain(prompt, name, chain, origin)}


def _nag(prompt: Prompt, chain: Iterable[Node]) -> Metadata:
    """The negative prompt and the settings of Z-Image NAG where it acts; of several the nearest counts."""
    nearest = next((node for node in chain if node["class_type"] == NAG), None)
    if nearest is None:
        return {}
    name = next(name for name, node in prompt.items() if node is nearest)
    values = {each: value_in(prompt, inputs_of(nearest).get(each)) for each in NAG_SETTINGS}
    is_on = values["scale"] != 1 and values["alpha"] != 0 and not asked.is_zeroed(prompt, name, "negative")
    is_on = is_on and _has_steps(values)
    return {"nag": {**asked.texts_of(prompt, name), **values}} if is_on else {}


def _diversity(prompt: Prompt, name: str) -> Metadata:
    """The settings of the nearest Z-Image Diversity before a sampler's prompt, where it acts."""
    node = next((each for each in samplers.prompt_chain(prompt, name) if each["class_type"] == DIVERSITY), None)
    values = {each: value_in(prompt, inputs_of(node).get(each)) for each in DIVERSITY_SETTINGS} if node else {}
    return {"diversity": values} if values.get("strength") and _has_steps(values) else {}


def _style(prompt: Prompt, chain: Iterable[Node]) -> Metadata:
    """The settings of the nearest Z-Image Style Reference, where it acts; its picture is not named."""
    node = next((each for each in chain if each["class_type"] == STYLE), None)
    values = {each: value_in(prompt, inputs_of(node).get(each)) for each in STYLE_SETTINGS} if node else {}
    return {"style": values} if values.get("strength") and _has_steps(values) else {}


def _has_steps(values: Metadata) -> bool:
    """Whether a part of the run has any length, as far as the queued prompt tells."""
    start, end = values.get("start_percent"), values.get("end_percent")
    return not (isinstance(start, int | float) and isinstance(end, int | float)) or start < end


def _model_chain(prompt: Prompt, node_id: str, chain: list[Node], origin: Origin) -> Metadata:
    """Model files, LoRAs, and every lossy option between the loader and the sampler."""
    lossy = [sentence for node in [prompt[node_id], *chain] for sentence in _lossy(prompt, node)]
    encoder = _file(prompt, samplers.prompt_chain(prompt, node_id), ENCODER_FILES)
    metadata = {
        **_model(prompt, chain, origin),
        "text_encoder": encoder,
        "loras": [lora for node in reversed(chain) for lora in _loras(prompt, node)],
        "lossy": lossy,
        "large": next(_large(prompt, chain), None),
    }
    return {name: value for name, value in metadata.items() if value is not None}


def _large(prompt: Prompt, chain: Iterable[Node]) -> Iterator[Metadata]:
    """What draws beyond the model's own size, the nearest first; a detail of 0 is off."""
    for node in chain:
        if node.get("class_type") in LARGE and (values := _settings(prompt, node, LARGE)).get("detail") != 0:
            yield values


def _settings(prompt: Prompt, node: Node, names: Mapping[str, Iterable[str]]) -> Metadata:
    """The values of a node's widgets."""
    inputs = inputs_of(node)
    return {name: value_in(prompt, inputs.get(name)) for name in names[node["class_type"]]}


def _model(prompt: Prompt, chain: Iterable[Node], origin: Origin) -> Metadata:
    name = _file(prompt, chain, MODEL_FILES)
    if name is None:
        return {}
    return {"model": name, **origin(name)}


def model_file(prompt: Prompt | None, node_id: str) -> str | None:
    """The diffusion model's file behind a node's `model` input, as its loader's dropdown names it; None if unknown."""
    if not prompt or node_id not in prompt:  # inside an expanded node
        return None
    return _file(prompt, upstream(prompt, node_id, "model", prefix="model"), MODEL_FILES)


def _file(prompt: Prompt, nodes: Iterable[Node], widgets: Iterable[str]) -> str | None:
    """The file in a widget of one of these names, in the nearest node that has one."""
    values = (value_in(prompt, inputs_of(node).get(name)) for node in nodes for name in widgets)
    return next((value for value in values if isinstance(value, str)), None)


def _loras(prompt: Prompt, node: Node) -> Iterator[Metadata]:
    """The LoRAs of Z-Image LoRA List, of Z-Image Load LoRA or of a stock LoRA loader."""
    inputs = inputs_of(node)
    if node.get("class_type") == LORA_LIST:
        limit = value_in(prompt, inputs.get("most_change"))
        limited = {"most_change": limit} if limit else {}
        yield from ({**lora, **limited} for lora in _listed(value_in(prompt, inputs.get("loras"))))
    for name, strength in (*loras.SLOTS, ("lora_name", "strength_model")):
        file, weight = value_in(prompt, inputs.get(name)), value_in(prompt, inputs.get(strength))
        if isinstance(file, str) and file != files.NO_LORA and weight != 0:
            yield {"file": file, "strength": weight}


def _listed(text: object) -> Iterator[Metadata]:
    """The LoRAs of a list that act; nothing if a line cannot be read, which running tells."""
    try:
        rows = parse_rows(text) if isinstance(text, str) else []
    except ValueError:
        return
    for row in (row for row in rows if row.strength.acts):
        varies = {"varies": str(row.strength)} if str(row.strength) != f"{row.strength.peak:g}" else {}
        yield {"file": row.name, "strength": row.strength.peak, **varies}


def _lossy(prompt: Prompt, node: Node) -> Iterator[str]:
    """A few words for each lossy option of a node that is on."""
    values = {name: value_in(prompt, value) for name, value in inputs_of(node).items()}
    if values.get("precision") == repack.INT8:
        yield "main layers in int8"
    if str(values.get("weight_dtype", "")).startswith("fp8"):
        yield f"weights cast to {values['weight_dtype']}"
    if values.get("attention") == optimize.SAGE:
        yield "SageAttention"
    if values.get("caching") == optimize.STEPS:
        yield "a step cache, which may skip model calls"
    if node.get("class_type") in STEP_CACHES and values.get("threshold", values.get("reuse_threshold")) != 0:
        yield f"{STEP_CACHES[node['class_type']]}, which may skip model calls"
    if values.get("cfg_truncation", 1.0) != 1.0:
        yield f"guidance ends at {values['cfg_truncation']}"
    if values.get("cfg_start", 0.0) != 0.0:
        yield f"guidance starts at {values['cfg_start']}"
