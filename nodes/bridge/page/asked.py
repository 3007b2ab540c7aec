"""What a queued prompt asks a sampler to draw: prompt, negative prompt, size; not what only running tells."""

from collections.abc import Iterable
from typing import Any, cast

from ..loading import files
from ..tasks import latents, prompt_writing
from ..tasks.enhancing import BETWEEN
from . import score_results
from .prompt_graph import Link, Node, Prompt, ancestors, inputs_of, link_in, origin_of, upstream, value_in

POSITIVE, NEGATIVE = ("positive", "conditioning"), ("negative",)  # sockets of samplers and guiders
TEXTS = ("prompt", "text")  # widgets of nodes that encode one
ZEROED = "ConditioningZeroOut"  # what goes into it no longer counts
REGION, REGION_PROMPT = "ZImageRegion", "region_prompt"  # the node, and its socket of the region's own prompt
REGION_FIELDS = ("x", "y", "width", "height", "strength", "global_weight", "outside", "start_percent", "end_percent")
LATENTS = "latent"  # how the names of samplers' LATENT sockets begin
EMPTY_LATENT = "ZImageEmptyLatent"
PROMPT_WRITER = "ZImagePrompt"
ENHANCER = "ZImageEnhancePrompt"


def texts_of(prompt: Prompt, node_id: str) -> dict[str, str]:
    """The prompt, and the negative prompt if there is one."""
    holder = _conditioned(prompt, node_id)
    texts = {
        "prompt": _text(prompt, holder, POSITIVE, TEXTS),
        "negative": _text(prompt, holder, NEGATIVE, ("negative_prompt", *TEXTS)),
    }
    return {name: text for name, text in texts.items() if text}


def regions_of(prompt: Prompt, node_id: str) -> dict[str, list[dict[str, Any]]]:
    """The regions of the prompt, in the order of their nodes, with their own prompts; boxes and masks are not named."""
    holder = _conditioned(prompt, node_id)
    nodes = [each for socket in POSITIVE for each in upstream(prompt, holder, socket, leaving_out=REGION_PROMPT)]
    names = {id(node): name for name, node in prompt.items()}
    found: list[dict[str, Any]] = []
    for node in reversed([each for each in nodes if each["class_type"] == REGION]):
        text = _text(prompt, names[id(node)], (REGION_PROMPT,), TEXTS)
        values = {"prompt": text} | {name: value_in(prompt, inputs_of(node).get(name)) for name in REGION_FIELDS}
        lora, strength = (value_in(prompt, inputs_of(node).get(name)) for name in ("lora", "lora_strength"))
        if isinstance(lora, str) and lora != files.NO_LORA and strength != 0:
            values["lora"] = {"file": lora, "strength": 1.0 if strength is None else strength}
        found.append({name: value for name, value in values.items() if value is not None})
    return {"regions": found} if found else {}


def is_zeroed(prompt: Prompt, node_id: str, socket: str) -> bool:
    """Whether Conditioning Zero Out stands before a socket for conditioning."""
    return any(node["class_type"] == ZEROED for node in upstream(prompt, node_id, socket))


def size_of(prompt: Prompt, node_id: str) -> dict[str, int]:
    """Width and height in pixels of an empty or a scaled latent, the nearest; a picture's are known when it loads."""
    socket = next((name for name in inputs_of(prompt[node_id]) if name.startswith(LATENTS)), LATENTS)
    for node in upstream(prompt, node_id, socket, prefix=LATENTS):
        values = {name: value_in(prompt, value) for name, value in inputs_of(node).items()}
        if node["class_type"] == EMPTY_LATENT:
            return _from_ratio(values)
        width, height = values.get("width"), values.get("height")
        if isinstance(width, int) and isinstance(height, int):
            return {"width": width, "height": height}
        if width is not None or height is not None:
            return {}
    return {}


def _from_ratio(values: dict[str, Any]) -> dict[str, int]:
    """The size that Z-Image Empty Latent makes of its widgets; nothing where only running tells."""
    try:
        across, down = (int(side) for side in values["ratio"].split(":"))
        width, height = latents.size_from_ratio((across, down), float(values["megapixels"]))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return {}
    return {"width": width, "height": height}


def _conditioned(prompt: Prompt, node_id: str) -> str:
    """The node with the sockets for conditioning: the sampler, or its guider."""
    guider = link_in(inputs_of(prompt[node_id]).get("guider"))
    return guider.node_id if guider and guider.node_id in prompt else node_id


def _text(prompt: Prompt, node_id: str, sockets: Iterable[str], widgets: Iterable[str]) -> str | None:
    """The text in the nearest node that has such a widget; a region's own prompt is not the picture's."""
    names = list(widgets)
    for socket in sockets:
        for node in upstream(prompt, node_id, socket, leaving_out=REGION_PROMPT):
            if node["class_type"] == ZEROED:
                return None
            if name := _first(node, names):
                text = _written(prompt, origin_of(prompt, inputs_of(node)[name]))
                return text if isinstance(text, str) else None
    return None


def _written(prompt: Prompt, origin: Any) -> Any:
    """A text, or the one that our nodes for prompts make of their widgets; None if only running them tells."""
    if not isinstance(origin, Link):
        return origin
    node = prompt.get(origin.node_id, {})
    values = {name: value_in(prompt, value) for name, value in inputs_of(node).items()}
    if node.get("class_type") == ENHANCER:
        return _enhanced(prompt, origin, values)
    text, style, seed = values.get("text"), values.get("style"), values.get("seed")
    if node.get("class_type") != PROMPT_WRITER or not isinstance(text, str) or not isinstance(style, str):
        return None
    try:
        return prompt_writing.written(text, style, int(cast(Any, seed)))
    except (OSError, OverflowError, TypeError, ValueError):  # the node says it when it runs
        return None


def _enhanced(prompt: Prompt, origin: Link, values: dict[str, Any]) -> Any:
    """A person's own text, the request that is left alone, or what the enhancer told when it ran."""
    own = values.get("own_prompt")
    if isinstance(own, str) and own.strip():
        return own if BETWEEN not in own else own.split(BETWEEN)[0] if origin.slot == 0 else None
    if values.get("when") == "off" and values.get("kind", "prompt") != "negative prompt" and not values.get("earlier"):
        return values.get("request")
    told = (score_results.found(prompt, origin.node_id) or {}).get("enhanced", {}).get("written", [])
    return told[0] if told and (origin.slot == 0 or len(told) == 1) else None


def awaits_enhancer(prompt: Prompt, node_id: str) -> bool:
    """Whether an enhancer stands before a node, so that its prompt may be known only when that has run."""
    return any(prompt[name]["class_type"] == ENHANCER for name in ancestors(prompt, [node_id]))


def _first(node: Node, names: Iterable[str]) -> str | None:
    return next((name for name in names if name in inputs_of(node)), None)
