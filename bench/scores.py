"""`python -m bench.scores`: pictures per second of each built-in score, at 1024 squared on two processor threads.

The tower has SigLIP 2's widths, random weights and two of its layers; a user's CLIP and a judge by address cost what
they cost. Each score is measured one picture at a time for at least the asked seconds.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from zimage_core.config import VisionConfig
from zimage_core.nano.judging.scene_score import SceneDetector, SceneScore
from zimage_core.scoring.cache import CachedScore
from zimage_core.scoring.detection import GenEvalScore
from zimage_core.scoring.features import EfficientNetLite, SiglipTower
from zimage_core.scoring.lettering import RULES, LetteringScore, RapidReader, Reader, TesseractReader
from zimage_core.scoring.score import Request, Score
from zimage_core.scoring.statistics import STATISTICS
from zimage_core.vision import Siglip2

SIDE = 1024
TOWER_LAYERS = 2  # of 27: what a whole tower takes is about 13 times as much
TEXTS = "Fresh bread and honey", "Open until seven", "Harbour Street 42"
SCENE = {"shape": "circle", "colour": "red", "size": "large", "row": "top", "column": "left", "ground": "white"}
REQUEST = Request(
    prompt="a shop",
    lettering=TEXTS,
    rules={**SCENE, "tag": "single_object", "include": [{"class": "circle", "count": 1}]},
)


def sign() -> Image.Image:
    """Three lines of text before something with detail."""
    picture = Image.effect_mandelbrot((SIDE, SIDE), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(64)
    for line, text in enumerate(TEXTS):
        place = SIDE / 2, SIDE * (line + 1) / 4
        draw.text(place, text, font=font, fill="white", stroke_width=6, stroke_fill="black", anchor="mm")
    return picture


def speed(measure: Callable[[], object], seconds: float) -> tuple[float, float]:
    """How often something can be done in a second and what it costs in processor seconds, after once to warm up."""
    measure()
    rounds, start, used = 0, time.perf_counter(), processor_seconds()
    while not rounds or time.perf_counter() - start < seconds:
        measure()
        rounds += 1
    return rounds / (time.perf_counter() - start), (processor_seconds() - used) / rounds


def processor_seconds() -> float:
    """Of this process and of the programs that it waited for."""
    return sum(os.times()[:4])


def scores(threads: int) -> Iterator[Score]:
    """The built-in ones that need no file of the user's."""
    yield from STATISTICS.values()
    readers: list[Reader] = [RapidReader(threads), TesseractReader(threads=1)]
    for reader in readers:
        yield LetteringScore(reader, RULES["word accuracy"])
    yield SceneScore()
    yield GenEvalScore(SceneDetector())


def tower() -> SiglipTower:
    """SigLIP 2's widths with few layers and whatever is in memory as weights."""
    config = VisionConfig(dim=1152, n_layers=TOWER_LAYERS, n_heads=16, ffn_dim=4304, n_positions=256)
    network = Siglip2(config)
    return SiglipTower(network.requires_grad_(False).eval())


def report(threads: int, seconds: float) -> Iterator[str]:
    """The table, line by line, in Markdown."""
    picture = sign()
    measured = "pictures per second | processor seconds a picture | peak memory so far, MiB"
    yield f"| {SIDE}x{SIDE}, {threads} threads | {measured} |"

    def row(name: str, measure: Callable[[], object]) -> str:
        rate, cost = speed(measure, seconds)
        return f"| {name} | {rate:.3g} | {cost:.3g} | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} |"

    for score in scores(threads):
        yield row(f"{score.name} ({score.reader})", lambda score=score: score([picture], [REQUEST]))
    with tempfile.TemporaryDirectory() as folder:
        cached = CachedScore(STATISTICS["noise"], Path(folder) / "scores.jsonl")
        yield row("any score, from the cache", lambda: cached([picture], [REQUEST]))
    efficientnet = EfficientNetLite()
    yield row(f"features ({efficientnet.name})", lambda: efficientnet.pictures([picture]))
    encoder = tower()
    yield row(f"features ({encoder.name}, {TOWER_LAYERS} of 27 layers)", lambda: encoder.pictures([picture]))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.scores", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3, help="for each score")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for line in report(arguments.threads, arguments.seconds):
        tqdm.write(line)


if __name__ == "__main__":
    main()
