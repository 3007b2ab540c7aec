"""Pictures of a folder on the canvas that are like a picture, or like words, the best first."""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .....zimage_core.counted import counted
from .....zimage_core.curation.embedding import Perceptual, picture_for
from .....zimage_core.curation.embedding.embed import reduced
from .....zimage_core.curation.profiling import Found
from .....zimage_core.curation.profiling.opened import open_file, read_bytes
from .....zimage_core.curation.search import nearest, that_say
from .....zimage_core.curation.search.query import Hit
from .....zimage_core.scoring.features import ClipFolder
from .....zimage_core.scoring.model_folder import ModelFolderError
from ...loading import score_models
from ...loading.pictures import rgb, to_pil
from .picture_list import PictureList, below_output, found_in, lines, list_file, with_progress, write_list

AUTOMATIC, BUILT_IN = "automatic", "captions and looks (built in)"
BY_CAPTIONS = "BM25 over captions"
BY_WORDS, BY_PICTURE = "search.words", "search.picture"  # files of the two lie beside each other
REMEMBERED = 4096  # vectors, of about 3 kB
HEAD = ("rank", "picture", "score")


class Told(NamedTuple):
    """What the node puts out, and what the page shows on it."""

    pictures: PictureList
    report: str
    brief: str  # the report without what the page shows with its pictures
    file: str  # the names of what was found
    image: Tensor  # the best, (1, h, w, 3)
    shown: dict[str, Any]


def encoder_names() -> list[str]:
    """For the dropdown."""
    return [AUTOMATIC, BUILT_IN, *score_models.names(score_models.CLIPS)]


def search_pictures(
    folder: str, words: str, most: int, encoder: str, image: Tensor | None, pictures: PictureList | None
) -> Told:
    """The pictures nearest to a picture, else to words. Raises ValueError with one sentence."""
    words = " ".join(words.split())
    if not words and image is None:
        raise ValueError("There is nothing to search for: write words, or connect a picture.")
    if words and image is not None:
        raise ValueError("There are words and a picture to search for: clear the words, or disconnect the picture.")
    name, found = found_in(folder, pictures)
    clip = _clip(encoder)
    if clip is None and image is None:
        reader, skipped, hits = BY_CAPTIONS, 0, that_say([each.path for each in found], words, most)
    else:
        looking = clip or Perceptual()
        queries = looking.pictures(_asked(image)) if clip is None or image is not None else clip.words([words])
        paths, vectors = _looked_at(found, clip)
        reader, skipped = f"cosine, {looking.name}", len(found) - len(paths)
        hits = nearest(paths, vectors, queries.numpy(), most)
    if not hits:
        raise ValueError(
            "None of these pictures can be read. Pick another folder."
            if skipped
            else f"No caption says any of these words: {words}. Write others, as the captions put it."
        )
    brief = [f"{counted(len(found), 'picture')} in {name}: {len(hits)} found, by {reader}."]
    brief += [f"Not looked at, as they cannot be read: {skipped}"] if skipped else []
    return _told(name, BY_WORDS if image is None else BY_PICTURE, hits, brief)


def _clip(encoder: str) -> ClipFolder | None:
    """The chosen model; automatically the first that compares pictures with words, if there is one."""
    if encoder == BUILT_IN:
        return None
    if encoder != AUTOMATIC:
        return score_models.clip(encoder)
    for name in score_models.names(score_models.CLIPS):
        with suppress(ModelFolderError):  # another kind of vision model
            return score_models.clip(name)
    return None


def _asked(image: Any) -> list[Image.Image]:
    return [reduced(to_pil(each)) for each in rgb(image)]


def _looked_at(found: Sequence[Found], clip: ClipFolder | None) -> tuple[list[str], NDArray[np.float32]]:
    """Paths and vectors (n c) of those that can be read."""
    seen = [(each.path, _vector(each, clip)) for each in with_progress(found)]
    known = [(path, vector) for path, vector in seen if vector is not None]
    return [path for path, _ in known], np.array([vector for _, vector in known], np.float32)


@lru_cache(REMEMBERED)
def _vector(found: Found, clip: ClipFolder | None) -> NDArray[np.float32] | None:
    """A picture's vector, made once for each state of it; None for one that cannot be read."""
    if found.problem:
        return None
    try:
        picture = picture_for(Path(found.path))
    except ValueError:
        return None
    return (clip or Perceptual()).pictures([picture])[0].numpy()


def _told(name: str, kind: str, hits: Sequence[Hit], brief: list[str]) -> Told:
    table, found_file = list_file(name, f"{kind}.tsv"), list_file(name, f"{kind}.found.txt")
    names = [Path(each.path).name for each in hits]
    rows = [(str(rank), name, f"{hit.score:.4f}") for rank, (name, hit) in enumerate(zip(names, hits, strict=True), 1)]
    write_list(table, lines("\t".join(row) for row in (HEAD, *rows)))
    write_list(found_file, lines(names))
    where = f"Table: {below_output(table)}"
    return Told(
        pictures=PictureList(name, names),
        report="\n".join([*brief, *("\t".join(row) for row in rows), where]),
        brief="\n".join([*brief, where]),
        file=str(found_file),
        image=_image_of(Path(hits[0].path)),
        shown={
            "folder": name,
            "hits": [{"name": name, "score": hit.score} for name, hit in zip(names, hits, strict=True)],
        },
    )


def _image_of(file: Path) -> Tensor:
    """A picture as IMAGE (1, h, w, 3), upright."""
    content, problem = read_bytes(file)
    picture = None if problem else open_file(file, content).picture
    if picture is None:
        raise ValueError(f"{file.name} was found, but cannot be read as a picture. Repair it, or take it out.")
    return torch.from_numpy(np.array(picture.convert("RGB"))).float()[None] / 255
