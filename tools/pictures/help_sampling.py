"""Strips for the samplers, the schedule and the step cache: what each input does."""

from collections.abc import Sequence
from typing import Any

from .prompt_graph import NANO_MEGAPIXELS, Link, PromptGraph
from .strips import Difference, Panel, Rows, StripBuilder, numbered

BASE = {"steps": 28, "cfg": 4.0, "solver": "res_multistep", "shift": 6.0}
SOLVERS = ("euler", "res_multistep", "heun")
STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6)
SHIFTS = (0.3, 1.0, 3.0, 6.0, 12.0)

# A prompt that says everything draws nearly the same whatever is set; one that leaves things open shows more.
HEART = "a large red heart in the middle on a chessboard"
STAR = "a small yellow star at the top right in the sky"
RING = "a large purple ring on the left"
ANY_HEART = "a large heart in the middle"
SOURCE, TARGET = "a large orange heart in the middle in the sky", "a large red heart in the middle on stripes"

Setting = str | float


def sampled(graph: PromptGraph, setting: Setting, sampler: str, prompt: str, **inputs: Any) -> Panel:
    """A sampler's picture, labeled with a setting and the number of network calls."""
    sample = graph.sample if sampler == "ZImageSampler" else graph.turbo
    node = sample(prompt, **inputs)
    return Panel(as_label(setting), graph.decode(node[0]), node[1])


def as_label(setting: Setting) -> str:
    """A setting as its widget shows it."""
    return setting if isinstance(setting, str) else f"{setting:g}"


def varied(sampler: str, name: str, values: Sequence[Setting], prompt: str, **inputs: Any) -> StripBuilder:
    """One input of a sampler at several values."""
    return lambda graph: [[sampled(graph, value, sampler, prompt, **{**inputs, name: value}) for value in values]]


def compared(name: str, values: Sequence[float], times: int) -> StripBuilder:
    """The same with base's settings, and below each picture how far it is from the first."""

    def draw(graph: PromptGraph) -> Rows:
        row = [sampled(graph, value, "ZImageSampler", HEART, **{**BASE, name: value}) for value in values]
        return [row, [Difference(0, column, times) for column in range(len(values))]]

    return draw


def solvers(graph: PromptGraph) -> Rows:
    """Few steps of each solver, then many; below, how far the few are from the many."""
    row = [sampled(graph, name, "ZImageSampler", ANY_HEART, steps=10, solver=name) for name in SOLVERS]
    row.append(Panel("", *picture_and_count(graph, ANY_HEART, steps=200)))
    return [row, [Difference(3, column, 16) for column in range(3)]]


def picture_and_count(graph: PromptGraph, prompt: str, **inputs: Any) -> tuple[Link, Link]:
    """A picture and the number of network calls it took."""
    node = graph.sample(prompt, **inputs)
    return graph.decode(node[0]), node[1]


def negatives(graph: PromptGraph) -> Rows:
    """No negative prompt, then one that names a background, a colour, a size."""
    avoided = ("", "a star on a chessboard", "a green star", "a small star")
    prompt = "a star in the middle"
    pictures = [graph.picture(prompt, negative=negative, seed=5) for negative in avoided]
    return [[Panel(str(number), picture) for number, picture in enumerate(pictures, 1)]]


def encoded(graph: PromptGraph) -> tuple[Link, Link]:
    """A picture to start from, and its latent."""
    picture = graph.picture(SOURCE)
    latent = graph.add("ZImageImageToImage", image=picture, vae=graph.vae, megapixels=NANO_MEGAPIXELS, batch_size=1)
    return picture, latent[0]


def strengths(sampler: str) -> StripBuilder:
    """From a picture to another."""

    def draw(graph: PromptGraph) -> Rows:
        _, latent = encoded(graph)
        return [[sampled(graph, each, sampler, TARGET, latent=latent, strength=each) for each in STRENGTHS]]

    return draw


def custom(graph: PromptGraph, prompt: str, sigmas: Link, latent: Link) -> tuple[Link, Link]:
    """ComfyUI's SamplerCustomAdvanced: its final latent and its prediction of the clean picture, both decoded."""
    words = {"positive": graph.encode(prompt), "negative": graph.encode("")}
    node = graph.add(
        "SamplerCustomAdvanced",
        noise=graph.add("RandomNoise", noise_seed=7)[0],
        guider=graph.add("CFGGuider", model=graph.model, cfg=3.0, **words)[0],
        sampler=graph.add("KSamplerSelect", sampler_name="euler")[0],
        sigmas=sigmas,
        latent_image=latent,
    )
    return graph.decode(node[0]), graph.decode(node[1])


def levels(graph: PromptGraph) -> Rows:
    """The latent at some of the noise levels of 8 steps, and what the model makes of it there."""
    sigmas = graph.add("ZImageSigmas", steps=8, shift=3.0, strength=1.0)[0]
    noisy: list[Panel] = []
    clean: list[Panel] = []
    for step, level in ((1, "0.955"), (2, "0.9"), (4, "0.75"), (6, "0.5"), (7, "0.3"), (8, "0")):
        until = graph.add("SplitSigmas", sigmas=sigmas, step=step)[0]
        at_level, predicted = custom(graph, HEART, until, graph.empty())
        noisy.append(Panel("", at_level))
        clean.append(Panel(level, predicted))
    return [noisy, clean]


def schedule_shifts(graph: PromptGraph) -> Rows:
    """Four steps, spent at other noise levels."""
    schedules = [graph.add("ZImageSigmas", steps=4, shift=shift, strength=1.0)[0] for shift in SHIFTS]
    pictures = [custom(graph, RING, sigmas, graph.empty())[0] for sigmas in schedules]
    return [[Panel(f"{shift:g}", picture) for shift, picture in zip(SHIFTS, pictures, strict=True)]]


def schedule_strengths(graph: PromptGraph) -> Rows:
    """More and more of the schedule, on a picture."""
    _, latent = encoded(graph)
    schedules = [graph.add("ZImageSigmas", steps=20, shift=3.0, strength=each)[0] for each in STRENGTHS[1:]]
    pictures = [custom(graph, TARGET, sigmas, latent)[0] for sigmas in schedules]
    return [[Panel(f"{each:g}", picture) for each, picture in zip(STRENGTHS[1:], pictures, strict=True)]]


def cached(name: str, values: Sequence[float], times: int, **inputs: float) -> StripBuilder:
    """A step cache's input at several values; first without a cache, and below how far each is from that."""

    def draw(graph: PromptGraph) -> Rows:
        row = [sampled(graph, "-", "ZImageSampler", HEART, **BASE)]
        for value in values:
            settings = {"threshold": 0.05, "start_percent": 0.15, "end_percent": 0.95, "max_skips": 3, **inputs}
            model = graph.add("ZImageStepCache", model=graph.model, **{**settings, name: value})[0]
            row.append(sampled(graph, value, "ZImageSampler", HEART, model=model, **BASE))
        return [row, [Difference(0, column, times) for column in range(len(row))]]

    return draw


NAG = {"scale": 3.0, "tau": 2.5, "alpha": 0.25, "start_percent": 0.0, "end_percent": 0.75}


def away(graph: PromptGraph, negative: str, prompt: str, seed: int, **changes: float) -> Link:
    """Turbo Sampler's picture of a prompt, moved away from a negative one by Z-Image NAG."""
    model = graph.add("ZImageNAG", model=graph.model, negative=graph.encode(negative), **{**NAG, **changes})[0]
    return graph.decode(graph.turbo(prompt, model=model, seed=seed)[0])


def avoided(graph: PromptGraph) -> Rows:
    """No negative prompt, then those that name what is in the picture."""
    prompt, words = "a star in the middle", ("a star on a black background", "a green star", "a small star")
    first = graph.decode(graph.turbo(prompt, seed=5)[0])
    return [numbered([first, *(away(graph, each, prompt, 5) for each in words)])]


def avoiding(name: str, values: Sequence[float], **settings: float) -> StripBuilder:
    """One input of Z-Image NAG at several values, for two pictures that begin in the avoided colour."""
    prompt = "a large heart in the middle on a white background"
    rows = ((7, "purple"), (3, "red"))

    def draw(graph: PromptGraph) -> Rows:
        return [
            [
                Panel(f"{value:g}", away(graph, f"a {colour} heart", prompt, seed, **{**settings, name: value}))
                for value in values
            ]
            for seed, colour in rows
        ]

    return draw


def diverse(graph: PromptGraph) -> Rows:
    """Four seeds, each with a misreading of its own, at several strengths."""
    rows: list[list[Panel]] = []
    for strength in (0.0, 2.0, 5.0):
        rows.append([])
        for seed in range(4):
            settings = {"end_percent": 0.5, "protect": "", "protect_quoted": True, "start_percent": 0.0, "share": 0.5}
            plain = graph.encode(HEART)
            noised = graph.add("ZImageDiversity", conditioning=plain, seed=seed, strength=strength, **settings)[0]
            sampled = graph.turbo(HEART, positive=noised, seed=seed)
            rows[-1].append(Panel(as_label(strength), graph.decode(sampled[0])))
    return rows


STRIPS: dict[str, StripBuilder] = {
    "ZImageSampler/steps": varied("ZImageSampler", "steps", (1, 2, 3, 4, 8, 20), STAR),
    "ZImageSampler/cfg": varied("ZImageSampler", "cfg", (1.0, 2.0, 3.0, 5.0, 8.0, 16.0), "a large red heart"),
    "ZImageSampler/negative": negatives,
    "ZImageSampler/seed": varied("ZImageSampler", "seed", range(6), ANY_HEART),
    "ZImageSampler/solver": solvers,
    "ZImageSampler/shift": varied("ZImageSampler", "shift", SHIFTS, RING, steps=4),
    "ZImageSampler/strength": strengths("ZImageSampler"),
    "ZImageSampler/cfg_normalization": varied(
        "ZImageSampler", "cfg_normalization", (0.0, 1.5, 1.2, 1.0, 0.8), RING, cfg=16.0
    ),
    "ZImageSampler/cfg_truncation": compared("cfg_truncation", (1.0, 0.6, 0.2, 0.05, 0.0), 4),
    "ZImageSampler/cfg_start": compared("cfg_start", (0.0, 0.05, 0.1, 0.3, 1.0), 4),
    "ZImageTurboSampler/steps": varied("ZImageTurboSampler", "steps", (1, 2, 4, 8, 16), STAR),
    "ZImageTurboSampler/seed": varied("ZImageTurboSampler", "seed", range(6), ANY_HEART),
    "ZImageTurboSampler/shift": varied("ZImageTurboSampler", "shift", SHIFTS, RING, steps=4),
    "ZImageTurboSampler/strength": strengths("ZImageTurboSampler"),
    "ZImageSigmas/steps": levels,
    "ZImageSigmas/shift": schedule_shifts,
    "ZImageSigmas/strength": schedule_strengths,
    "ZImageNAG/negative": avoided,
    "ZImageNAG/scale": avoiding("scale", (1.0, 1.5, 2.0, 3.0, 5.0, 11.0)),
    "ZImageNAG/end_percent": avoiding("end_percent", (0.0, 0.25, 0.5, 0.75, 1.0)),
    "ZImageDiversity/strength": diverse,
    "ZImageStepCache/threshold": cached("threshold", (0.02, 0.05, 0.1, 0.2), 32),
    "ZImageStepCache/max_skips": cached("max_skips", (1, 3, 6, 12), 8, threshold=3.0),
}
