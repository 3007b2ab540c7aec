"""The seed of each picture of a batch, where its sampler gives each its own and the graph alone tells the order."""

from collections.abc import Callable
from typing import Any

from ..tasks.noise import seed_of
from .prompt_graph import Link, Node, Prompt, inputs_of, origin_of, value_in
from .samplers import OURS

DECODERS = ("ZImageVAEDecode", "VAEDecode", "VAEDecodeTiled")
WHOLE_BATCHES = (  # give latents that count from 0, other than Latent From Batch
    *("ZImageEmptyLatent", "EmptySD3LatentImage", "EmptyLatentImage", "ZImageVAEEncode", "VAEEncode"),
    *("ZImageImageToImage", "ZImageInpaint", "ZImageOutpaint"),
)
IMAGES, LATENTS = ("images", "image"), ("latent", "samples")


def picture_seeds(prompt: Prompt, node_id: str) -> Callable[[int], int] | None:
    """The seed of picture k at a save node; None where a node between may have chosen or joined pictures."""
    decoder = _source(prompt, prompt.get(node_id, {}), IMAGES, DECODERS)
    sampler = decoder and _source(prompt, decoder, LATENTS, tuple(OURS))
    if not sampler or not _source(prompt, sampler, LATENTS, WHOLE_BATCHES):
        return None
    values = {name: value_in(prompt, value) for name, value in inputs_of(sampler).items()}
    seed = values.get("seed")
    if values.get("seed_per_picture") is not True or values.get("add_noise") is False or not isinstance(seed, int):
        return None
    return lambda number: seed_of(seed, number)


def _source(prompt: Prompt, node: Node, sockets: tuple[str, ...], classes: tuple[str, ...]) -> Node | None:
    """The node behind the one of these sockets, through reroutes, if it is of one of these classes."""
    inputs = inputs_of(node)
    value: Any = next((inputs[name] for name in sockets if name in inputs), None)
    link = origin_of(prompt, value)
    source = prompt.get(link.node_id) if isinstance(link, Link) else None
    return source if source and source.get("class_type") in classes else None
