"""What a run adds to an arena: pictures, stored by content, with the prompt and seeds they have."""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from .....zimage_core.atomic_file import write_atomically
from .....zimage_core.evaluation.arena import PICTURES, Arena, Entry
from .....zimage_core.text import shortened
from ...loading import pictures
from .. import metadata
from ..picture_seeds import picture_seeds
from ..prompt_graph import Prompt, inputs_of

MOST_CONTESTANTS = 8  # of one node
LONGEST_NAME = 60
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
COMPRESSION = 4  # of zlib's 9, as ComfyUI's Save Image
INPUT = "images"  # of Z-Image Arena, which grows
SOCKET = "zimage_arena_socket"  # a node's id that no graph has


class Drawn(NamedTuple):
    """What the queued graph tells of one contestant's pictures."""

    prompt: str
    seeds: tuple[int | None, ...]


def add_pictures(arena: Arena, images: Mapping[str, Any], names: str, prompt: str, hidden: Any) -> list[str]:
    """Store the contestants' IMAGE batches (b, h, w, c), by input, and add a round for each picture of a batch.

    Returns where the pictures lie below the arena's folder, round by round. Raises ValueError where contestants and
    pictures do not fit together.
    """
    batches = {name: pictures.colour_images(images[name]) for name in _connected(images)}
    contestants = names_of(names, len(batches))
    counts = [len(batch) for batch in batches.values()]
    if len(set(counts)) > 1:
        raise ValueError(
            f"The contestants have {_listed(counts)} pictures, but each round compares one of each. Draw equally many "
            "with each."
        )
    drawn = [_drawn(hidden, f"{INPUT}.{name}", len(batch)) for name, batch in batches.items()]
    asked = prompt.strip() or _common_prompt(drawn, contestants)
    with _written(arena):
        stored = [[_store(arena.folder, pictures.to_pil(each)) for each in batch] for batch in batches.values()]
        contributions = list(zip(contestants, stored, drawn, strict=True))
        rounds = [(asked, [_entry(*each, number) for each in contributions]) for number in range(counts[0])]
        arena.add(rounds)
    return [entry.picture for _, entries in rounds for entry in entries]


def add_alternatives(arena: Arena, images: Mapping[str, Any], prompt: str, hidden: Any) -> list[str]:
    """Store pictures of one prompt, IMAGE batches (b, h, w, c) by input: each is compared with each other.

    They are called 1, 2, 3. Returns where they lie below the arena's folder. Raises ValueError where they are one
    alone, or of several prompts.
    """
    batches = {name: pictures.colour_images(image) for name, image in images.items() if image is not None}
    drawn = [_drawn(hidden, name, len(batch)) for name, batch in batches.items()]
    asked = prompt.strip() or _common_prompt(drawn, list(batches))
    every = [picture for batch in batches.values() for picture in batch]
    if len(every) < 2:
        raise ValueError("There is one picture, but two are needed to choose from. Draw a batch, or connect another.")
    seeds = [seed for each in drawn for seed in each.seeds]
    with _written(arena):
        entries = [
            Entry(contestant=str(number), picture=_store(arena.folder, pictures.to_pil(each)), seed=seed)
            for number, (each, seed) in enumerate(zip(every, seeds, strict=True), 1)
        ]
        arena.add([(asked, entries)])
    return [each.picture for each in entries]


@contextmanager
def _written(arena: Arena) -> Generator[None]:
    """The folder is there; what the system refuses becomes a sentence."""
    try:
        (arena.folder / PICTURES).mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ValueError(
            f"{arena.folder.name} cannot be written to ComfyUI's output folder ({error.strerror or 'no such name'}). "
            "Make room or allow writing there."
        ) from error


def _entry(contestant: str, stored: Sequence[str], drawn: Drawn, number: int) -> Entry:
    return Entry(contestant=contestant, picture=stored[number], seed=drawn.seeds[number])


def _connected(images: Mapping[str, Any]) -> list[str]:
    """The inputs that have pictures, in the order on the node: image0, image1 and so on."""
    return sorted((name for name, image in images.items() if image is not None), key=lambda name: (len(name), name))


def names_of(text: str, count: int) -> list[str]:
    """The contestants' names, one a line; those that are not named are A, B, C. Raises ValueError."""
    if count < 2:
        raise ValueError(f"An arena compares two contestants or more, but here is {count}. Connect another picture.")
    given = [line.strip() for line in text.splitlines()]
    while given and not given[-1]:
        given.pop()
    if len(given) > count:
        raise ValueError(
            f"There are {len(given)} names for {count} contestants. Write one name a line, in the order of the inputs."
        )
    given += [""] * (count - len(given))
    names = [(name or LETTERS[number])[:LONGEST_NAME] for number, name in enumerate(given)]
    if len(set(names)) < count:
        raise ValueError(f"Two contestants have one name ({_listed(names)}). Give each a name of its own.")
    return names


def _common_prompt(drawn: Sequence[Drawn], contestants: Sequence[str]) -> str:
    """The prompt that all contestants were drawn from, empty if none is known. Raises ValueError for several."""
    prompts = {each.prompt: name for each, name in zip(drawn, contestants, strict=True)}
    if len(prompts) > 1:
        told = " ".join(f"{name}: '{shortened(text, 60)}'." for text, name in prompts.items())
        raise ValueError(
            f"The contestants were drawn from different prompts, so what was asked for is not clear. {told} Write into "
            "prompt what both should show."
        )
    return next(iter(prompts))


def _drawn(hidden: Any, name: str, count: int) -> Drawn:
    """Prompt and seeds of the pictures at one input of the node, where a single sampler draws last before it."""
    queued: Prompt = (hidden.prompt if hidden else None) or {}
    link = inputs_of(queued.get(hidden.unique_id, {})).get(name) if queued else None
    if link is None:
        return Drawn("", (None,) * count)
    seen = {**queued, SOCKET: {"class_type": "PreviewImage", "inputs": {"images": link}}}
    sampler = metadata.last_sampler(seen, SOCKET) or {}
    seed_of = picture_seeds(seen, SOCKET)
    seed = None if sampler.get("seed_per_picture") else sampler.get("seed")
    common = seed if isinstance(seed, int) else None
    return Drawn(str(sampler.get("prompt", "")), tuple(seed_of(k) if seed_of else common for k in range(count)))


def _store(folder: Path, picture: Image.Image) -> str:
    """Write a picture under the hash of its pixels, unless it is there; its path below the arena's folder."""
    levels = hashlib.sha256(f"{picture.mode} {picture.width}x{picture.height} ".encode() + picture.tobytes())
    name = f"{PICTURES}/{levels.hexdigest()[:32]}.png"
    if not (folder / name).exists():
        write_atomically(folder / name, lambda file: picture.save(file, format="PNG", compress_level=COMPRESSION))
    return name


def _listed(values: Sequence[object]) -> str:
    return f"{', '.join(map(str, values[:-1]))} and {values[-1]}"
