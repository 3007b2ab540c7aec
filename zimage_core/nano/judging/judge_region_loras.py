"""`python -m zimage_core.nano.judging.judge_region_loras`: two LoRAs, each for the region of one object.

The LoRAs are made here, in a minute: one draws every object red, the other blue, by following nano itself where the
colour's word is exchanged. Then prompts ask for green and yellow objects; with a LoRA of its own each half should show
that LoRA's colour. Leakage is how often a half shows the colour of the other half's LoRA. Beside it: both LoRAs on the
whole picture, and regions without LoRAs.

Letters: b batch, n tokens, f width of the text embeddings, o i output and input width.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from PIL import Image
from torch import Tensor, nn

from ...adapters import Injection, Lora, LowRank, Target, TokenLora
from ...adapters.token_lora import joint_shares
from ...conditioning.region_area import caption_weights, token_coverage
from ...conditioning.region_bias import bias_channels, region_bias
from ...model import Condition, VelocityField
from ...model.captions import side_by_side
from ...model.sequence import padded_length
from ...vae import from_images
from ..data.render import render
from ..data.scenes import ROWS, SHAPES, Scene, SceneObject
from ..files import FOLDER
from .edit_checker import recognize_objects
from .judge import Model, load, print_report
from .judge_regions import (
    GRID,
    HALVES,
    LATENT,
    PLAIN_GROUNDS,
    Pair,
    draw,
    embed,
    ground_alone,
    run_with,
    sentence,
)

OWN = {"left": "red", "right": "blue"}  # the colour of each half's LoRA
ASKED = ("green", "yellow")  # colours in the prompts
RANK, STEPS, BATCH, RATE = 8, 100, 8, 5e-3
LAYERS = ("attention.qkv", "attention.out", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3")
COLUMNS = ("own colour", "leaked", "asked colour", "shape")


def pairs(n: int) -> list[Pair]:
    """Two small objects side by side in colours that no LoRA draws, by a seed."""
    rng = random.Random(0)
    drawn: list[Pair] = []
    for _ in range(n):
        shapes, row = rng.sample(SHAPES, 2), rng.choice(list(ROWS))
        left, right = (
            SceneObject(shape=shape, colour=colour, size="small", row=row, column=side)
            for shape, colour, side in zip(shapes, rng.sample(ASKED, 2), HALVES, strict=True)
        )
        drawn.append((left, right, rng.choice(PLAIN_GROUNDS)))
    return drawn


class Trained(nn.Module):
    """The two factors of every changed layer, beside the layers of a network while it trains."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.changed = {  # a plain dict: they are not this module's own
            path: layer
            for path, layer in network.named_modules()
            if isinstance(layer, nn.Linear) and path.startswith("layers.") and path.endswith(LAYERS)
        }
        generator = torch.Generator().manual_seed(1)
        self.down = nn.ParameterList(
            torch.randn(RANK, each.in_features, generator=generator) / RANK for each in self.changed.values()
        )
        self.up = nn.ParameterList(torch.zeros(each.out_features, RANK) for each in self.changed.values())

    def beside(self) -> list[torch.utils.hooks.RemovableHandle]:
        """Hooks that add the change to each layer's output, until they are removed."""

        factors = zip(self.changed.values(), self.down, self.up, strict=True)
        return [layer.register_forward_hook(partial(add_product, down, up)) for layer, down, up in factors]

    def lora(self, name: str) -> Lora:
        """The LoRA as read from a file."""
        factors = zip(self.changed, self.down, self.up, strict=True)
        deltas = {Target(f"{path}.weight"): LowRank(up=up.detach(), down=down.detach()) for path, down, up in factors}
        return Lora(file=name, family="nano", deltas=deltas)


def add_product(down: Tensor, up: Tensor, layer: nn.Module, inputs: tuple[Tensor], out: Tensor) -> Tensor:
    """A layer's output with the change of one LoRA."""
    return out + inputs[0] @ down.T @ up.T


def trained(model: Model, colour: str) -> Lora:
    """A LoRA under which nano draws objects of any colour as it draws those of one colour without."""
    rng, generator = random.Random(2), torch.Generator().manual_seed(3)
    network = model.dit.requires_grad_(False)
    lora = Trained(network)
    optimizer = torch.optim.Adam(lora.parameters(), RATE)
    for step in range(STEPS):
        x, sigma, asked, wanted = batch(model, colour, rng, generator)
        with torch.no_grad():
            target = field(model, wanted)(x, sigma)
        handles = lora.beside()
        loss = (field(model, asked)(x, sigma) - target).square().mean()
        for handle in handles:
            handle.remove()
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lora.lora(colour)


def field(model: Model, captions: Sequence[Tensor]) -> VelocityField:
    """The velocity for captions of one padded length."""
    return model.dit.flow(model.dit.prepare(captions, LATENT))


def batch(
    model: Model, colour: str, rng: random.Random, generator: torch.Generator
) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
    """Noisy pictures of the wanted colour, their noise levels, and captions that ask for another and for that one."""
    pictures: list[Image.Image] = []
    asked: list[Tensor] = []
    wanted: list[Tensor] = []
    while len(pictures) < BATCH:
        place = {"row": rng.choice(list(ROWS)), "column": rng.choice(list(HALVES))}
        thing = SceneObject(shape=rng.choice(SHAPES), colour=rng.choice(ASKED), size="small", **place)
        ground = rng.choice(PLAIN_GROUNDS)
        things = (thing, replace(thing, colour=colour))
        with torch.no_grad():
            texts = [embed(model, sentence(each, ground)) for each in things]
        if {padded_length(len(text)) for text in (*texts, *asked)} != {padded_length(len(texts[0]))}:
            continue
        pictures.append(render(Scene(**vars(things[1]), ground=ground), rng.randrange(2**31)))
        asked.append(texts[0])
        wanted.append(texts[1])
    with torch.no_grad():
        clean = model.vae.encode(from_images(pictures))
    sigma = torch.rand(BATCH, generator=generator)
    mixed = sigma[:, None, None, None]
    noise = torch.randn(clean.shape, generator=generator)
    return (1 - mixed) * clean + mixed * noise, sigma, asked, wanted


def picture(model: Model, pair: Pair, seed: int, loras: Mapping[str, TokenLora], *, is_whole: bool) -> Image.Image:
    """A pair of objects in two regions; LoRAs by side act on their half, or on everything."""
    texts = [ground_alone(pair), *(sentence(thing, pair[2]) for thing in pair[:2])]
    captions, injection = [embed(model, text) for text in texts], Injection()
    for lora in loras.values():
        lora.add_to(injection, model.dit)
    try:
        alone: list[Condition] = []
        for owner, caption in zip((None, *HALVES), captions, strict=True):
            for side, lora in loras.items():
                lora.share.set_alike(float(is_whole or side == owner))
            alone.append(model.dit.prepare([caption], LATENT))
        return draw(model, _regional(model, alone, loras, is_whole=is_whole), [seed])[0]
    finally:
        injection.eject()


def _regional(
    model: Model, alone: Sequence[Condition], loras: Mapping[str, TokenLora], *, is_whole: bool
) -> VelocityField:
    """The velocity of captions that were refined one by one, with the shares of the LoRAs put in place."""
    condition, lengths = side_by_side(model.dit, alone), [each.caption.shape[1] for each in alone]
    n_image = condition.image_rope.shape[1]
    coverages = {side: token_coverage(box, GRID) for side, box in HALVES.items()}
    weights = caption_weights(
        list(coverages.values()), strengths=[1.0] * 2, outsides=[0.0] * 2, global_weights=[0.3] * 2
    )
    channels = bias_channels(region_bias(lengths, weights, n_image), model.dit.config.head_dim, condition.caption)
    shares = {
        lora: joint_shares(lengths, lambda slot, own=number: slot == own, coverages[side], n_image)[None]
        for number, (side, lora) in enumerate(loras.items(), 1)
    }

    flow = model.dit.flow(condition, run=partial(run_with, channels, lambda index: True))

    def velocity(x: Tensor, sigma: float | Tensor) -> Tensor:
        for lora, share in shares.items():
            if is_whole:
                lora.share.set_alike(1.0)
            else:
                lora.share.place(share, sum(lengths))
        try:
            return flow(x, sigma)
        finally:
            for lora in loras.values():
                lora.share.set_alike(0.0)

    return velocity


def judged(image: Image.Image, pair: Pair) -> Iterator[tuple[str, bool]]:
    """Name and value of everything that is counted of a picture."""
    _, found = recognize_objects(image)
    for thing, other in zip(pair[:2], ("right", "left"), strict=True):
        here = [each for each in found if each.column == thing.column]
        yield "own colour", any(each.colour == OWN[thing.column] for each in here)
        yield "leaked", any(each.colour == OWN[other] for each in here)
        yield "asked colour", any(each.colour == thing.colour for each in here)
        yield "shape", any(each.shape == thing.shape for each in here)


def report(limit: int) -> Iterator[str]:
    """The table, line by line, in Markdown."""
    model, drawn = load(FOLDER), pairs(limit)
    made = {side: trained(model, colour) for side, colour in OWN.items()}
    yield f"| {limit} pairs | {' | '.join(COLUMNS)} |"
    yield "| --- " * (len(COLUMNS) + 1) + "|"
    rows = (
        ("regions, no LoRA", (), 1.0, False),
        ("both LoRAs on the whole picture", tuple(OWN), 1.0, True),
        ("the left region's LoRA alone", ("left",), 1.0, False),
        ("a LoRA per region", tuple(OWN), 1.0, False),
        ("a LoRA per region at 0.5", tuple(OWN), 0.5, False),
    )
    for name, sides, strength, is_whole in rows:
        loras = {side: TokenLora(made[side], strength) for side in sides}
        counts: dict[str, list[bool]] = {column: [] for column in COLUMNS}
        with torch.inference_mode():
            for seed, pair in enumerate(drawn):
                for column, value in judged(picture(model, pair, seed, loras, is_whole=is_whole), pair):
                    counts[column].append(value)
        yield f"| {name} | " + " | ".join(f"{sum(each) / len(each):.3f}" for each in counts.values()) + " |"


def main() -> None:
    """Command line."""
    print_report(__doc__ or "", report, "pairs of objects", limit=48)


if __name__ == "__main__":
    main()
