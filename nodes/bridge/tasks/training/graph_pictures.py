"""Pictures and texts of the graph as a folder that a dataset is read from, in ComfyUI's temp folder."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import folder_paths
from torch import Tensor

from .....zimage_core.atomic_file import write_atomically, write_text
from ...loading.pictures import rgb, to_pil
from ..input_folders import PLACE


def write_pictures(images: Sequence[Tensor], captions: Sequence[str]) -> Path:
    """A folder with every picture of some batches (b, h, w, c), and each one's text beside it.

    It is named by what it holds, so that the same pictures are the same dataset. Raises ValueError where the texts are
    not as many as the pictures.
    """
    pictures = [to_pil(picture) for batch in images for picture in rgb(batch)]
    texts = list(captions) * (len(pictures) if len(captions) == 1 else 1)
    if texts and len(texts) != len(pictures):
        raise ValueError(
            f"{len(texts)} captions are connected for {len(pictures)} pictures. Connect one for each, in the same "
            "order, or one for all."
        )
    digest = hashlib.blake2b("\0".join(texts).encode("utf-8", "replace"), digest_size=8)
    for each in pictures:
        digest.update(f"{each.size}".encode() + each.tobytes())
    folder = Path(folder_paths.get_temp_directory()) / PLACE / f"graph_{digest.hexdigest()}"
    folder.mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(pictures):
        file = folder / f"{index:05}.png"
        if not file.exists():
            write_atomically(file, lambda opened, each=picture: each.save(opened, format="PNG"))
    for index, text in enumerate(texts):
        if text.strip():
            write_text(folder / f"{index:05}.txt", text.encode("utf-8", "replace").decode())
    return folder
