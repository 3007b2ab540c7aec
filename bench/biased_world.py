"""`python -m bench.biased_world --out FOLDER`: a biased world by nano's renderer through the data engine, judged.

Of 48 combinations of colour and shape a tenth is rare; copies are planted, and broken and ugly files are mixed in. What
is found is compared with what was planted. Every step resumes: the same command goes on where it was.
"""

import argparse
import io
import json
import random
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter
from tqdm import tqdm

from zimage_core.atomic_file import write_text
from zimage_core.cli import main as command
from zimage_core.curation.captions import captions_of, idf_of
from zimage_core.curation.engine import parquet, read_record
from zimage_core.curation.rounds import Concept, coverage_of, propose
from zimage_core.curation.rounds.needs import Need
from zimage_core.curation.search import ByCaptions, find_pictures, found_in
from zimage_core.nano.data.captions import CHINESE, ENGLISH, LANGUAGE_BY_CODE, LANGUAGES, fill
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import COLOURS, SHAPES, Scene, every_scene

from .planted_copies import KINDS, SIDE, copy_of

RARE_EACH = 2  # pictures of a rare combination
RARE_IS_BELOW = 0.25  # of the median coverage: what is called rare
ACCEPTED = (
    "entropy",
    "sharpness",
    "detail",
    "noise",
)  # whose thresholds are applied; others are about kinds, not faults
JUNK = ("empty", "truncated", "no picture", "blank", "noise", "blurred")
TRUTH = "truth.json"
SAMPLE = "10"  # pictures that dedup compares with all by their looks, as most of these flat ones are near one another

Combination = tuple[str, str]


def combinations() -> list[Combination]:
    """Colours and shapes."""
    return list(product(COLOURS, SHAPES))


def rare_combinations(seed: int) -> list[Combination]:
    """A tenth of them."""
    return random.Random(seed).sample(combinations(), round(len(combinations()) / 10))


def caption(scene: Scene, rng: random.Random) -> str:
    """One that states everything, in either language, in any of the training's words."""
    language = rng.choice(LANGUAGES)
    return fill(rng.choice(LANGUAGE_BY_CODE[language].templates), scene, language, rng)


def scenes_of(each: int, rare: list[Combination], seed: int) -> list[Scene]:
    """Different scenes, none another's mirror image: `each` of a combination, `RARE_EACH` of a rare one."""
    rng, chosen = random.Random(seed), list[Scene]()
    for combination in combinations():
        all_of_it = [s for s in every_scene() if (s.colour, s.shape) == combination and s.column != "right"]
        chosen += rng.sample(all_of_it, RARE_EACH if combination in rare else each)
    rng.shuffle(chosen)
    return chosen


def make_world(root: Path, each: int, seed: int) -> dict[str, Any]:
    """Pictures with captions, copies and junk, and a pool in which nothing is rare; what is true of them."""
    if (root / TRUTH).is_file():
        return json.loads((root / TRUTH).read_text("utf-8"))
    rng, rare = random.Random(seed), rare_combinations(seed)
    for name in ("pictures", "pool"):
        (root / name).mkdir(parents=True, exist_ok=True)
    truth: dict[str, Any] = {"rare": rare, "copies": {}, "junk": [], "originals": {}}
    for number, scene in enumerate(tqdm(scenes_of(each, rare, seed), unit="picture", leave=False)):
        name, picture = f"{number:05d}.png", render(scene, number, (SIDE, SIDE))
        write(root / "pictures" / name, picture, caption(scene, rng))
        truth["originals"][name] = [scene.colour, scene.shape]
        if number % 3 == 0:
            kind = KINDS[number // 3 % len(KINDS)]
            copy = f"{number:05d} {kind}{'.jpg' if kind == 'recompressed' else '.png'}"
            content = copy_of(kind, picture, (root / "pictures" / name).read_bytes(), rng)
            (root / "pictures" / copy).write_bytes(content)
            (root / "pictures" / copy).with_suffix(".txt").write_text(caption(scene, rng), "utf-8")
            truth["copies"][copy] = name
        if number % 20 == 0:
            kind = JUNK[number // 20 % len(JUNK)]
            junk = f"junk {number:05d} {kind}.png"
            (root / "pictures" / junk).write_bytes(junk_of(kind, (root / "pictures" / name).read_bytes(), number))
            (root / "pictures" / junk).with_suffix(".txt").write_text(caption(scene, rng), "utf-8")
            truth["junk"].append(junk)
    for number, scene in enumerate(scenes_of(4, [], seed + 1)):
        write(
            root / "pool" / f"{number:05d} {scene.colour} {scene.shape}.png", render(scene, number), caption(scene, rng)
        )
    write_text(root / TRUTH, json.dumps(truth, ensure_ascii=False))
    return truth


def write(file: Path, picture: Image.Image, text: str) -> None:
    """A picture and its caption."""
    picture.save(file)
    file.with_suffix(".txt").write_text(text, "utf-8")


def junk_of(kind: str, content: bytes, number: int) -> bytes:
    """The bytes of a broken or an ugly file."""
    if kind in ("empty", "truncated", "no picture"):
        return {"empty": b"", "truncated": content[: len(content) // 2], "no picture": b"not a picture"}[kind]
    rng = np.random.default_rng(number)
    if kind == "blank":
        return png(Image.new("RGB", (SIDE, SIDE), tuple(rng.integers(0, 256, 3).tolist())))
    if kind == "noise":
        return png(Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)))
    with Image.open(io.BytesIO(content)) as opened:
        return png(opened.filter(ImageFilter.GaussianBlur(SIDE / 10)))


def png(picture: Image.Image) -> bytes:
    """As a file."""
    stored = io.BytesIO()
    picture.save(stored, "PNG")
    return stored.getvalue()


def stages(root: Path) -> None:
    """Profile, embed and dedup of the world, profile and embed of the pool."""
    for name in ("pictures", "pool"):
        run("profile", root / name, root / f"{name}.profile.parquet")
        run("embed", root / f"{name}.profile.parquet", root / f"{name}.vectors.parquet")
    run("dedup", root / "pictures.vectors.parquet", root / "copies.parquet", "--sample", SAMPLE)


def run(stage: str, source: Path, out: Path, *more: str) -> None:
    """A command of the data engine."""
    if command(["data", stage, str(source), "--out", str(out), *more]):
        raise SystemExit(1)


def suspicious(profile: Path) -> set[str]:
    """Names of the files that cannot be read, or lie beyond one of the thresholds that were accepted."""
    record = read_record(profile)
    proposals = [each for each in (record.summary["proposals"] if record else []) if each["column"] in ACCEPTED]
    found = set[str]()
    for row in parquet().read_table(profile).to_pylist():
        beyond = any(
            row[each["column"]] is not None
            and (row[each["column"]] < each["limit"] if each["side"] == "low" else row[each["column"]] > each["limit"])
            for each in proposals
        )
        if row["problem"] or beyond:
            found.add(Path(row["path"]).name)
    return found


def judged(root: Path, truth: Mapping[str, Any]) -> Iterator[str]:
    """Each claim with its number, and the manifests of what was curated and of as many raw pictures."""
    originals = truth["originals"]
    rows = {Path(row["path"]).name: row for row in parquet().read_table(root / "copies.parquet").to_pylist()}
    found = sum(rows[copy]["cluster"] == rows[name]["cluster"] for copy, name in truth["copies"].items())
    false = sum(name[:5] != Path(row["keeper"]).name[:5] for name, row in rows.items() if name in originals)
    yield f"copies: {found} of {len(truth['copies'])} found; {false} of {len(originals)} originals taken for copies"
    beyond = suspicious(root / "pictures.profile.parquet")
    dropped, wrong = beyond & set(truth["junk"]), beyond & set(originals)
    missed = sorted(set(truth["junk"]) - beyond)
    yield f"junk: {len(dropped)} of {len(truth['junk'])} dropped; {len(wrong)} of {len(originals)} originals with it"
    yield from (f"  missed: {name}" for name in missed)
    kept = [row["path"] for name, row in rows.items() if row["kind"] == "kept" and name not in beyond]
    yield from rare_named(root, truth, kept)
    lines = "".join(f"{root.absolute() / 'pictures' / name}\n" for name in sorted(beyond))
    write_text(root / "left_out.txt", lines)
    copies = ("--copies", str(root / "copies.parquet"), "--without", str(root / "left_out.txt"))
    run("balance", root / "pictures.vectors.parquet", root / "curated.parquet", *copies)


def rare_named(root: Path, truth: Mapping[str, Any], kept: list[str]) -> Iterator[str]:
    """Combinations of which captions speak less than a quarter as often as of the median one, and what is proposed."""
    concepts = [concept_of(each) for each in combinations()]
    coverage, count = coverage_of(concepts, captions_of(kept))
    least = RARE_IS_BELOW * float(np.median(list(coverage.values())))
    named = {each.name for each in concepts if coverage[each.name] < least}
    rare = {" ".join(each) for each in truth["rare"]}
    yield f"rare combinations: {len(named & rare)} of {len(rare)} named; {len(named - rare)} others with them"
    some = [each for each in concepts if each.name in named]
    words = tuple(word for each in some for word in each.words)
    search = ByCaptions(words, most=20, as_phrases=True)
    for _ in find_pictures(root / "pool.vectors.parquet", root / "proposed.parquet", search):
        pass
    needs = [
        Need(concept=each, score=0.0, shortfall=1.0, coverage=coverage[each.name], rarity=rarity, need=rarity)
        for each in some
        for rarity in [idf_of(coverage[each.name], count)]
    ]
    lines = propose(needs, found_in(root / "proposed.parquet"), 20)
    right = sum(Path(line["file_name"]).stem.split(" ", 1)[1] == line["concept"] for line in lines)
    pool = sum(Path(each).stem.split(" ", 1)[1] in named for each in map(str, (root / "pool").glob("*.png")))
    yield f"proposed of the pool: {len(lines)}, {right} of them right, of {pool} that are there"


def concept_of(combination: Combination) -> Concept:
    """A combination in all words that captions have for it."""
    colour, shape = combination
    english = tuple(f"{one} {other}" for one in ENGLISH[colour] for other in ENGLISH[shape])
    chinese = tuple(one + other for one in CHINESE[colour] for other in CHINESE[shape])
    return Concept(name=f"{colour} {shape}", prompts=english[:1], words=english + chinese)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.biased_world", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder, which is made")
    parser.add_argument("--each", type=int, default=14, help="pictures of a combination that is not rare")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    truth = make_world(arguments.out, arguments.each, arguments.seed)
    stages(arguments.out)
    for line in judged(arguments.out, truth):
        tqdm.write(line)


if __name__ == "__main__":
    main()
