"""What a queued prompt says of a sampler: this pack's own, or ComfyUI's with a MODEL of this pack.

ComfyUI's custom samplers are described by several nodes: noise, guider, sampler and sigmas.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ....zimage_core.sampling import BASE, LAST_STEP, TURBO, Preset
from ..tasks import sampling
from .prompt_graph import Node, Prompt, inputs_of, upstream, value_in

OURS: dict[str, Preset] = {"ZImageTurboSampler": TURBO, "ZImageSampler": BASE}
STOCK = ("KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced")
SAMPLERS = (*OURS, *STOCK)
PREFIX = "ZImage"  # of this pack's node ids
PARTS = ("noise", "guider", "sampler", "sigmas")  # sockets of a custom sampler
SETTINGS = ("seed", "steps", "cfg", "solver", "scheduler", "shift", "points", "strength", "denoise")
SAME_SETTING = {"noise_seed": "seed", "sampler_name": "solver"}  # ComfyUI's names
NEUTRAL: dict[str, tuple[Any, ...]] = {  # named where they are another: the part of the steps, and a batch's seeds
    "add_noise": (True, "enable"),
    "start_at_step": (0,),
    "end_at_step": (LAST_STEP,),
    "return_with_leftover_noise": (False, "disable"),
    "seed_per_picture": (False,),
}

Values = dict[str, Any]


def model_chain(prompt: Prompt, node_id: str) -> list[Node]:
    """The nodes between a sampler and the loader of its MODEL, nearest first."""
    return list(upstream(prompt, node_id, _socket(prompt, node_id, "model"), prefix="model"))


def prompt_chain(prompt: Prompt, node_id: str) -> Iterator[Node]:
    """The nodes that a sampler's positive prompt depends on."""
    return upstream(prompt, node_id, _socket(prompt, node_id, "positive"))


def is_described(node: Node, chain: list[Node]) -> bool:
    """Whether a sampler is this pack's, or samples with a MODEL that a node of this pack made."""
    return any(each["class_type"].startswith(PREFIX) for each in (node, *chain))


def settings_of(prompt: Prompt, node_id: str, chain: list[Node]) -> Values:
    """Settings of a sampler, and of ours the NFE; values that other nodes compute are left out."""
    node = prompt[node_id]
    preset = OURS.get(node["class_type"])
    values = _values(prompt, node) if preset else _stock_values(prompt, node_id, chain)
    start = {"cfg": preset.cfg} if preset else {}
    settings = start | {name: values[name] for name in SETTINGS if values.get(name) is not None}
    taken = {name: values[name] for name in NEUTRAL if values.get(name) not in (None, *NEUTRAL[name])}
    return settings | taken | (_planned_nfe({**settings, **values}) if preset else {})


def _stock_values(prompt: Prompt, node_id: str, chain: list[Node]) -> Values:
    """By our names; what is nearest to the sampler counts. The MODEL's shift is that of the nearest node with one."""
    parts = (each for name in PARTS for each in upstream(prompt, node_id, name, prefix=name))
    nodes = [prompt[node_id], *parts, *chain]
    found: Values = {}
    for node in nodes:
        values = {SAME_SETTING.get(name, name): value for name, value in _values(prompt, node).items()}
        found = {name: value for name, value in values.items() if value is not None} | found
    return found


def _values(prompt: Prompt, node: Node) -> Values:
    return {name: value_in(prompt, value) for name, value in inputs_of(node).items()}


def _planned_nfe(values: Mapping[str, Any]) -> Values:
    try:
        return {"evaluations": sampling.planned_nfe(values)}
    except (KeyError, TypeError, ValueError):  # a value that another node computes, or that the sampler will refuse
        return {}


def _socket(prompt: Prompt, node_id: str, name: str) -> str:
    """A guider brings the MODEL and the prompts of a custom sampler."""
    return name if name in inputs_of(prompt[node_id]) else "guider"
