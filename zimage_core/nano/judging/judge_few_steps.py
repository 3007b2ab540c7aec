"""`python -m zimage_core.nano.judging.judge_few_steps`: what nano draws in few steps, by itself and with LoRAs for it.

Prompts name colour, shape and place of held-out combinations, in two languages, each with several seeds
(`data/open_prompts`); told everything, one step is enough for nano. Beside the checker, which may have been a reward,
a second judge reads the pictures: the small network that nano's captioner sees by. A whole picture is one object that,
drawn again, looks as in the picture.

Rows are kept in a folder as they are measured; the same command goes on after the last one.
"""

import argparse
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from ...adapters import injected
from ...checkpoints import load_vision, read_lora
from ...json_lines import append_lines, read_lines
from ...sampling import NANO, Preset
from ...scoring.score import Request
from ...scoring.statistics import STATISTICS
from ..captioner import load_reader
from ..data.caption_reading import stated
from ..data.open_prompts import held_out_prompts
from ..data.render import pixels, render_composition
from ..data.scenes import Composition
from ..files import FOLDER
from ..picture_tokens import composition_of, words_seen
from .checker import recognize
from .edit_checker import recognize_objects
from .judge import BATCH, Model, load
from .judge_diversity import mean_distance, pairs_of_seeds
from .prompt_score import PromptScore
from .rates import rate

SEEDS = 2  # of each prompt
GUIDED, PLAIN = NANO.cfg, 1.0
FEW = (1, 2, 4, 8)  # steps without guidance
BASE = (  # steps and guidance: up to 8 calls without it and with it; nano's own; what teaches
    *((steps, PLAIN) for steps in FEW),
    *((steps, GUIDED) for steps in (1, 2, 4)),
    (NANO.steps, GUIDED),
    (50, GUIDED),
)
COLUMNS = (
    "calls",
    "all right",
    "shape",
    "colour",
    "place",
    "second judge: all right",
    "whole pictures",
    "distance of two seeds",
    "open things differ",
    "saturation",
    "high-frequency energy",
    "processor seconds each",
)
OPEN = ("size", "ground")
LEAST_LIKE = 0.04  # mean difference to what was recognized, drawn again; nano's whole drawings stay below


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A row: nano by itself or with a LoRA, and how it draws."""

    name: str
    lora: Path | None
    steps: int
    cfg: float

    @property
    def preset(self) -> Preset:
        """nano's own but for steps and guidance."""
        return replace(NANO, steps=self.steps, cfg=self.cfg)

    @property
    def calls(self) -> int:
        """Of the network for a picture; guidance takes two a step."""
        return self.steps * (2 if self.cfg != PLAIN else 1)

    @property
    def title(self) -> str:
        """The row's first cell."""
        guided = f", cfg {self.cfg:g}" if self.cfg != PLAIN else ""
        return f"{self.name}, {self.steps} step{'s' * (self.steps > 1)}{guided}"

    def identity(self, prompts: int) -> str:
        """What makes a row another one."""
        file = hashlib.sha256(self.lora.read_bytes()).hexdigest()[:16] if self.lora else "base"
        return f"{self.name} {file} {self.steps} {self.cfg:g} {prompts} {SEEDS}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured; numbers of right pictures are out of `n`."""

    n: int
    right: int
    shape: int
    colour: int
    place: int
    second: int
    whole: int
    distance: float
    differing: float
    saturation: float
    energy: float
    seconds: float

    def cells(self) -> list[str]:
        """In the order of `COLUMNS`, without the calls."""
        parts = [f"{each / self.n:.3f}" for each in (self.shape, self.colour, self.place)]
        others = [rate(each, self.n) for each in (self.second, self.whole)]
        spread = f"{self.distance:.3f}", f"{self.differing:.3f}", f"{self.saturation:.3f}"
        return [rate(self.right, self.n), *parts, *others, *spread, f"{self.energy:.0f}", f"{self.seconds:.3f}"]


class Judges:
    """Those that read pictures of open prompts."""

    def __init__(self) -> None:
        self._tower, self._reader = load_vision(FOLDER / "siglip", torch.float32), load_reader()

    def row(self, pictures: Sequence[Image.Image], prompts: Sequence[str], seconds: float) -> Row:
        """Of pictures with `SEEDS` of each prompt in turn."""
        requests = [Request(prompt=prompt) for prompt in prompts]
        parts = [each.parts for each in PromptScore()(pictures, requests)]
        pairs = list(pairs_of_seeds(pictures, SEEDS))
        seen = [(recognize(one), recognize(other)) for one, other in pairs]
        differing = [getattr(one, name) != getattr(other, name) for one, other in seen for name in OPEN]
        return Row(
            n=len(pictures),
            right=sum(all(each.values()) for each in parts),
            shape=sum(bool(each.get("shape")) for each in parts),
            colour=sum(bool(each.get("colour")) for each in parts),
            place=sum(bool(each.get("row") and each.get("column")) for each in parts),
            second=sum(map(self._is_read, pictures, prompts)),
            whole=sum(map(is_whole, pictures)),
            distance=mean_distance(pairs),
            differing=sum(differing) / len(differing),
            saturation=_mean("saturation", pictures),
            energy=_mean("sharpness", pictures),  # the variance of the Laplacian
            seconds=seconds / len(pictures),
        )

    def _is_read(self, picture: Image.Image, prompt: str) -> bool:
        """Whether the captioner's reader sees one object, and it is as the prompt says."""
        try:
            seen = composition_of(words_seen(self._tower, self._reader, [picture])[0])
        except ValueError:  # objects that touch: none of nano's scenes
            return False
        return len(seen.objects) == 1 and shows(seen, stated(prompt))


def shows(seen: Composition, wanted: Mapping[str, str]) -> bool:
    """Whether the first object and the ground are as wanted."""
    found = {**vars(seen.objects[0]), "ground": seen.ground}
    return all(found[name] == value for name, value in wanted.items())


def is_whole(picture: Image.Image) -> bool:
    """Whether a picture shows one object and no ghosts of others: drawn again it looks the same."""
    ground, objects = recognize_objects(picture)
    if len(objects) != 1:
        return False
    again = render_composition(Composition(ground=ground, objects=tuple(objects)), [None])
    return float(np.abs(pixels(picture) - pixels(again)).mean()) < LEAST_LIKE


def _mean(statistic: str, pictures: Sequence[Image.Image]) -> float:
    measured = STATISTICS[statistic](pictures, [Request()] * len(pictures))
    return sum(each.value or 0.0 for each in measured) / len(pictures)


@torch.inference_mode()
def measure(model: Model, judges: Judges, contender: Contender, prompts: Sequence[str]) -> Row:
    """A contender's row; all draw from the same noise."""
    asked = [prompt for prompt in prompts for _ in range(SEEDS)]
    lora = [(read_lora(contender.lora), 1.0)] if contender.lora else []
    pictures, start = list[Image.Image](), time.process_time()
    with injected(model.dit, *lora) if lora else nullcontext():
        for first in tqdm(range(0, len(asked), BATCH), desc=contender.title, leave=False):
            pictures += model.draw_prompts(contender.preset, asked[first : first + BATCH], first)
    return judges.row(pictures, asked, time.process_time() - start)


def contenders(loras: Mapping[str, Path], few: Sequence[int] = FEW) -> Iterator[Contender]:
    """nano by itself, then each LoRA in few steps."""
    for steps, cfg in BASE:
        yield Contender(name="base", lora=None, steps=steps, cfg=cfg)
    for name, lora in loras.items():
        yield from (Contender(name=name, lora=lora, steps=steps, cfg=PLAIN) for steps in few)


def report(loras: Mapping[str, Path], limit: int | None, folder: Path, few: Sequence[int] = FEW) -> Iterator[str]:
    """The table, line by line, in Markdown; `folder` keeps its rows."""
    prompts = held_out_prompts()[:limit]
    folder.mkdir(parents=True, exist_ok=True)
    file, model, judges = folder / "rows.jsonl", load(FOLDER), Judges()
    known = {row.pop("identity"): Row(**row) for _, row in read_lines(file)} if file.exists() else {}
    yield f"| {len(prompts)} open prompts, {SEEDS} seeds | {' | '.join(COLUMNS)} |"
    yield "| --- |" + " --- |" * len(COLUMNS)
    for contender in contenders(loras, few):
        identity = contender.identity(len(prompts))
        if identity not in known:
            known[identity] = measure(model, judges, contender, prompts)
            append_lines(file, [{"identity": identity, **asdict(known[identity])}])
        yield f"| {contender.title} | {contender.calls} | {' | '.join(known[identity].cells())} |"


def named_file(text: str) -> tuple[str, Path]:
    """NAME=FILE."""
    name, _, file = text.partition("=")
    if not file or not Path(file).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=FILE of a LoRA that is there")
    return name, Path(file)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--lora", type=named_file, action="append", default=[], metavar="NAME=FILE", help="of few steps"
    )
    parser.add_argument(
        "--steps", type=int, nargs="+", default=FEW, metavar="N", help="of LoRAs; not of nano by itself"
    )
    parser.add_argument("--folder", type=Path, default=Path("few_steps"), help="keeps the rows")
    parser.add_argument("--limit", type=int, default=None, help="judge only so many prompts")
    parser.add_argument("--threads", type=int, default=2, help="processor threads to use")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for line in report(dict(arguments.lora), arguments.limit, arguments.folder, arguments.steps):
        tqdm.write(line)


if __name__ == "__main__":
    main()
