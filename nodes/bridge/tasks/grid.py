"""A comparison grid as a graph of this pack's nodes, which ComfyUI runs in place of the grid node.

ComfyUI caches each of these nodes by what it is given. So a prompt is encoded once, and after an interruption, or with
one more value on an axis, only pictures that are not there yet are sampled.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from comfy_execution.graph_utils import GraphBuilder
from einops import rearrange
from torch import Tensor

from ....zimage_core.grid import Layout, Value, compose, picture_labels
from ..loading import files
from .tried_sheet import smaller

SHEET = "ZImageGridSheet"
PICTURE = "picture_"  # and a number: the sheet node's inputs
MODEL, LORA_STRENGTH = "model", "lora_strength"  # settings that nodes before the sampler take

Link = list[Any]  # [node id, output slot]


class Sources(NamedTuple):
    """What is connected to the grid node, as links that nothing has followed yet."""

    model: Link
    clip: Link
    vae: Link
    latent: Link


class Expansion(NamedTuple):
    """The nodes by id, and the outputs of the sheet node: sheets, pictures, labels."""

    nodes: dict[str, Any]
    outputs: tuple[Link, Link, Link]


class Sheets(NamedTuple):
    """The outputs of the sheet node: sheets (s, H, W, 3), all pictures (n, h, w, 3) and a line for each picture."""

    sheets: Tensor
    pictures: Tensor
    labels: str


def expand(node: str, sources: Sources, settings: Sequence[Mapping[str, Any]], layout: Layout) -> Expansion:
    """The graph in place of the node of that id, which draws a picture for each of `settings` and puts them on sheets.

    Pictures of one model and one LoRA strength are drawn one after the other, as changing those is what takes longest.
    """
    graph = SharedNodes()
    pictures = [picture_of(graph, sources, each) for each in settings]
    models = {_key(each): index for index, each in reversed([*enumerate(settings)])}
    order = sorted(range(len(settings)), key=lambda index: models[_key(settings[index])])
    named = {f"{PICTURE}{index}": pictures[index] for index in reversed(order)}  # ComfyUI begins with the last input
    sheets = graph.output(SHEET, layout=json.dumps({**vars(layout), "node": node}), **named)
    return Expansion(graph.builder.finalize(), (sheets, [sheets[0], 1], [sheets[0], 2]))


def sheets_of(layout: str, pictures: Mapping[str, Tensor]) -> tuple[Sheets, Tensor, str]:
    """The outputs from a node's inputs; small sheets (s, H, W, 3), and the id of the node that shows them.

    Pictures of a batch stand side by side.
    """
    batches = [pictures[f"{PICTURE}{index}"] for index in range(len(pictures))]
    sizes = {f"{each.shape[2]}x{each.shape[1]}": None for each in batches}
    if len(sizes) > 1 or len({len(each) for each in batches}) > 1:
        raise ValueError(
            f"The pictures of this grid have different sizes ({', '.join(sizes)}), so they make no sheet. Compare "
            "models that draw pictures of one size."
        )
    side_by_side = torch.stack([rearrange(each[..., :3], "b h w c -> h (b w) c") for each in batches])
    given: dict[str, Any] = json.loads(layout)
    node = given.pop("node")
    written = Layout(**given)
    labels = "\n".join(picture_labels(written, len(batches[0])))
    shown = compose(smaller(side_by_side), written)
    return Sheets(compose(side_by_side, written), torch.cat(batches), labels), shown, node


class SharedNodes:
    """Nodes to be run; those with equal inputs are one node."""

    def __init__(self) -> None:
        self.builder = GraphBuilder()
        self.known: dict[str, Link] = {}
        self.defaults = cache(_defaults)

    def output(self, class_type: str, **given: Any) -> Link:
        """The first output of a node with these inputs, and its defaults for the others."""
        inputs = {**self.defaults(class_type), **given}
        key = json.dumps([class_type, inputs])
        if key not in self.known:
            node = self.builder.node(class_type, f"{class_type}-{len(self.known)}", **inputs)
            self.known[key] = node.out(0)
        return self.known[key]


def picture_of(graph: SharedNodes, sources: Sources, settings: Mapping[str, Any]) -> Link:
    """The decoded picture; without guidance and without a negative prompt, only the prompt is encoded."""
    sampler = {name: settings[name] for name in ("seed", "steps", "solver", "shift", "strength")}
    sampler |= {"model": _model(graph, sources, settings), "latent": sources.latent}
    sampler |= {"positive": graph.output("ZImageTextEncode", clip=sources.clip, prompt=settings["prompt"])}
    if settings["cfg"] == 1 and not settings["negative_prompt"]:
        latent = graph.output("ZImageTurboSampler", **sampler)
    else:
        negative = graph.output("ZImageTextEncode", clip=sources.clip, prompt=settings["negative_prompt"])
        latent = graph.output("ZImageSampler", **sampler, negative=negative, cfg=settings["cfg"])
    return graph.output("ZImageVAEDecode", latent=latent, vae=sources.vae)


def _model(graph: SharedNodes, sources: Sources, settings: Mapping[str, Any]) -> Link:
    """The connected MODEL, or another file in its place, with the LoRA."""
    file = settings.get(MODEL)
    model = graph.output("ZImageModelLoader", model_name=file) if file else sources.model
    if settings["lora"] == files.NO_LORA:
        return model
    return graph.output("ZImageLoraLoader", model=model, lora_1=settings["lora"], strength_1=settings[LORA_STRENGTH])


def _key(settings: Mapping[str, Any]) -> tuple[Value | None, Value]:
    return settings.get(MODEL), settings[LORA_STRENGTH]


def _defaults(class_type: str) -> dict[str, Any]:
    """Values of a node's widgets as they are when it is added to the canvas."""
    schema = sys.modules["nodes"].NODE_CLASS_MAPPINGS[class_type].define_schema()  # of ComfyUI's module
    return {each.id: each.default for each in schema.inputs if getattr(each, "default", None) is not None}
