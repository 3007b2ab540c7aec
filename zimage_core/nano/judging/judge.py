"""`make judge`: measures the built-in model with a checker that knows the renderer, on scenes it was never trained on.

Generated pictures mean something only beside three controls, which are printed with them: the same checker on real
renders, on autoencoder reconstructions (the ceiling), and on pictures drawn for other scenes' captions (the floor).
Combinations of three pictures are judged as the scenes they ask for; edits, other sizes and pictures of two objects
have judges of their own (`judge_edits`, `judge_sizes`, `judge_pairs`).
"""

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from ...checkpoints import load_dit, load_text_encoder, load_vae
from ...model import S3DiT
from ...sampling import NANO, SOLVERS, Guidance, Preset, denoise, shifted_schedule
from ...text import Qwen3, Tokenizer, load_tokenizer, tokenize
from ...vae import Autoencoder, from_images, to_images
from ..data.captions import LANGUAGES, held_out_caption, plain_caption
from ..data.combinations import TEMPLATES, Combination, held_out_combinations
from ..data.edits import HELD_OUT_PER_KIND, KINDS, held_out_edits
from ..data.render import SQUARE, Size, render
from ..data.scenes import Scene, held_out_scenes
from ..data.two_objects import held_out_pairs
from ..files import FOLDER
from . import judge_edits, judge_pairs, judge_sizes
from .checker import Score, check
from .editor import EditingModel, load_editor

BATCH = 48
ATTRIBUTES = tuple(field.name for field in fields(Score))
TURBO_LIKE = Preset(steps=8, cfg=1.0, shift=3.0, solver="euler")

Pictures = Callable[[Sequence[Scene], int], list[Image.Image]]  # of scenes, with a seed


@dataclass(frozen=True, kw_only=True)
class Model:
    """The networks under judgement."""

    dit: S3DiT
    text_encoder: Qwen3
    vae: Autoencoder
    tokenizer: Tokenizer

    def reconstruct(self, scenes: Sequence[Scene], seed: int) -> list[Image.Image]:
        """Real renders through the autoencoder and back."""
        return self.through_autoencoder(renders(scenes, seed))

    def through_autoencoder(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """Pictures of one size, encoded and decoded."""
        return to_images(self.vae.decode(self.vae.encode(from_images(pictures))))

    def draw(
        self, preset: Preset, say: Callable[[Scene], str], scenes: Sequence[Scene], seed: int
    ) -> list[Image.Image]:
        """What the model draws when each scene is described by `say`."""
        return self.draw_prompts(preset, [say(scene) for scene in scenes], seed)

    def draw_prompts(self, preset: Preset, prompts: Sequence[str], seed: int, size: Size = SQUARE) -> list[Image.Image]:
        """What the model draws of prompts."""
        captions = self.text_encoder.encode([tokenize(self.tokenizer, words).ids for words in prompts])
        empty = self.text_encoder.encode([tokenize(self.tokenizer, "").ids]) * len(prompts)
        width, height = (side // self.vae.config.downscale for side in size)
        *_, last = denoise(
            lambda x, sigma: torch.stack(list(self.dit(x, torch.full((len(x),), sigma), captions))),
            torch.randn(len(prompts), 16, height, width, generator=torch.Generator().manual_seed(seed)),
            shifted_schedule(preset.steps, preset.shift),
            solver=SOLVERS[preset.solver](),
            negative=lambda x, sigma: torch.stack(list(self.dit(x, torch.full((len(x),), sigma), empty))),
            guidance=Guidance(cfg=preset.cfg),
        )
        return to_images(self.vae.decode(last.x))


def load(folder: Path) -> Model:
    """The model in a folder, in float32."""
    return Model(
        dit=load_dit(folder / "transformer", torch.float32),
        text_encoder=load_text_encoder(folder / "text_encoder", torch.float32),
        vae=load_vae(folder / "vae", torch.float32),
        tokenizer=load_tokenizer(folder / "tokenizer"),
    )


def renders(scenes: Sequence[Scene], seed: int) -> list[Image.Image]:
    """Real pictures, jittered."""
    return [render(scene, seed + index) for index, scene in enumerate(scenes)]


def rows(model: Model) -> Iterator[tuple[str, Pictures]]:
    """Controls first, then what the model draws."""
    other = dict(zip(held_out_scenes(), shuffled(held_out_scenes()), strict=True))
    yield "real renders", renders
    yield "reconstructions (ceiling)", model.reconstruct
    yield "other scenes' captions (floor)", partial(model.draw, NANO, lambda scene: plain_caption(other[scene], "en"))
    for language in LANGUAGES:
        yield f"{language}", partial(model.draw, NANO, partial(plain_caption, language=language))
    for language in LANGUAGES:
        sentence = partial(held_out_caption, language=language, rng=random.Random(0))
        yield f"{language}, sentences never trained on", partial(model.draw, NANO, sentence)
    for language in LANGUAGES:
        yield (
            f"{language}, 8 steps without guidance",
            partial(model.draw, TURBO_LIKE, partial(plain_caption, language=language)),
        )


def combination_rows(editor: EditingModel, combinations: Sequence[Combination]) -> Iterator[tuple[str, Pictures]]:
    """Three pictures combined, in each language."""

    def combined(sentence: str, scenes: Sequence[Scene], seed: int) -> list[Image.Image]:
        chosen = combinations[seed : seed + len(scenes)]
        recognized = [each.render(seed + index)[:3] for index, each in enumerate(chosen)]
        return editor.draw(recognized, [sentence] * len(chosen), seed)

    for language in LANGUAGES:
        yield f"three pictures, {language}", partial(combined, TEMPLATES[language][0])


def shuffled(scenes: Sequence[Scene]) -> list[Scene]:
    """The same scenes in another order."""
    order = torch.randperm(len(scenes), generator=torch.Generator().manual_seed(0)).tolist()
    return [scenes[index] for index in order]


@torch.inference_mode()
def measure(name: str, pictures: Pictures, scenes: Sequence[Scene]) -> dict[str, float]:
    """How often each attribute of the pictures is the asked one."""
    scores: list[Score] = []
    for first in tqdm(range(0, len(scenes), BATCH), desc=name, leave=False):
        batch = scenes[first : first + BATCH]
        scores += [check(picture, scene) for picture, scene in zip(pictures(batch, first), batch, strict=True)]
    return {attribute: sum(getattr(score, attribute) for score in scores) / len(scores) for attribute in ATTRIBUTES}


def report(folder: Path, limit: int | None) -> Iterator[str]:
    """The tables, line by line, in Markdown."""
    yield from table("scenes", shuffled(held_out_scenes())[:limit], rows(load(folder)))
    yield ""
    editor, combinations = load_editor(folder), held_out_combinations()[:limit]
    yield from table("combinations", [each.target for each in combinations], combination_rows(editor, combinations))
    yield ""
    edits = held_out_edits(HELD_OUT_PER_KIND if limit is None else max(1, limit // len(KINDS)))
    yield from judge_edits.report(editor.edit, editor.reconstruct, edits)
    model = load(folder)
    draw, reconstruct = partial(model.draw_prompts, NANO), model.through_autoencoder
    yield ""
    yield from judge_sizes.report(draw, reconstruct, shuffled(held_out_scenes())[: min(limit or 48, 48)])
    yield ""
    yield from judge_pairs.report(draw, reconstruct, held_out_pairs()[:limit])


def table(what: str, scenes: Sequence[Scene], contenders: Iterator[tuple[str, Pictures]]) -> Iterator[str]:
    """How often each attribute of what each contender draws is the asked one."""
    yield f"| {len(scenes)} held-out {what} | {' | '.join(ATTRIBUTES)} |"
    yield "| --- |" + " --- |" * len(ATTRIBUTES)
    for name, pictures in contenders:
        rates = measure(name, pictures, scenes)
        yield f"| {name} | {' | '.join(f'{rates[attribute]:.3f}' for attribute in ATTRIBUTES)} |"


def print_report(
    description: str, report: Callable[[int], Iterator[str]], what: str, *, limit: int, threads: int = 2
) -> None:
    """A judge's command line: its report of as many of `what` as asked for, `limit` unless told, line by line."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--limit", type=int, default=limit, help=what)
    parser.add_argument("--threads", type=int, default=threads, help="processor threads to use")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for line in report(arguments.limit):
        tqdm.write(line)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m zimage_core.nano.judging.judge", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--weights", type=Path, default=FOLDER, help="the model to judge")
    parser.add_argument("--limit", type=int, default=None, help="judge only so many scenes, combinations and edits")
    parser.add_argument("--threads", type=int, default=2, help="processor threads to use")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for line in report(arguments.weights, arguments.limit):
        tqdm.write(line)


if __name__ == "__main__":
    main()
