"""Pictures saved as PNG: names, numbers and text chunks as ComfyUI's Save Image gives them, and `parameters` beside."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from comfy.cli_args import args
from comfy_api.latest import io, ui
from PIL.PngImagePlugin import PngInfo

from ..loading import file_hash, files, host, pictures
from ..tasks.noise import seed_of
from . import metadata, score_results
from .parameters import Facts, parameters_text
from .picture_seeds import picture_seeds
from .prompt_graph import Prompt

KEY = "parameters"
COMPRESSION = 4  # of zlib's 9, as ComfyUI's Save Image


def save(images: Any, prefix: str, hidden: Any, *, with_parameters: bool) -> list[ui.SavedResult]:
    """Write IMAGE (b, h, w, c) to the output folder, one PNG each; `hidden` is the node's: prompt, page's data, id.

    Raises ValueError for what is no picture, a prefix that leads out of the folder, and a folder that takes no file.
    """
    batch = pictures.colour_images(images)
    height, width = batch.shape[1:3]
    chunks = {} if args.disable_metadata else _chunks(hidden)
    has_text = with_parameters and not args.disable_metadata
    try:
        place = files.output_place(prefix, (width, height))
        text_of = _parameters(hidden, (width, height)) if has_text else None
        results: list[ui.SavedResult] = []
        for number, picture in enumerate(batch):
            file = f"{place.name.replace('%batch_num%', str(number))}_{place.number + number:05}_.png"
            info = _png_info({**chunks, KEY: text_of(number)} if text_of else chunks)
            pictures.to_pil(picture).save(place.folder / file, pnginfo=info, compress_level=COMPRESSION)
            results.append(ui.SavedResult(file, place.subfolder, io.FolderType.output))
    except OSError as error:
        raise ValueError(
            f"The picture cannot be written to ComfyUI's output folder ({error.strerror or 'no such name'}). "
            "Make room or allow writing there, or change filename_prefix."
        ) from error
    return results


def _png_info(chunks: dict[str, str]) -> PngInfo:
    info = PngInfo()
    for name, text in chunks.items():
        info.add_text(name, text)
    return info


def _chunks(hidden: Any) -> dict[str, str]:
    """Text chunks by name: the prompt graph and what the page and other packs add, as JSON."""
    graph = {} if hidden.prompt is None else {"prompt": json.dumps(hidden.prompt)}
    return {**graph, **{name: json.dumps(value) for name, value in (hidden.extra_pnginfo or {}).items()}}


def _parameters(hidden: Any, size: tuple[int, int]) -> Callable[[int], str] | None:
    """The `parameters` text of picture k of a batch that reaches a node; None where no sampler or several drew it.

    It names no seed where each picture has its own and the graph does not tell which.
    """
    prompt: Prompt = hidden.prompt or {}
    facts = metadata.last_sampler(prompt, hidden.unique_id)
    if facts is None:
        return None
    hashes, own_seed = dict(_hashes(facts)), picture_seeds(prompt, hidden.unique_id)
    if own_seed is None and facts.get("seed_per_picture"):
        facts = {**facts, "seed": None}
    offset = score_results.offset_before(hidden)
    if offset and isinstance(seed := facts.get("seed"), int):
        facts = {**facts, "seed": seed_of(seed, offset)}

    def text_of(number: int) -> str:
        own = {**facts, "seed": own_seed(number)} if own_seed else facts
        text = parameters_text(own, size, hashes, f"ComfyUI {host.VERSION}")
        return text.encode("utf-8", "replace").decode("utf-8")  # half an emoji cannot be written

    return text_of


def _hashes(facts: Facts) -> Iterator[tuple[str, str]]:
    """Names and hashes of the model file and the LoRA files; the built-in model, folders and lost files have none."""
    model = facts.get("model")
    named = [(str(model), files.model_path)] if model and model != files.BUILT_IN else []
    for name, path_of in [*named, *((str(lora["file"]), files.lora_path) for lora in facts.get("loras", ()))]:
        if digits := _hash(name, path_of):
            yield name, digits


def _hash(name: str, path_of: Callable[[str], str]) -> str | None:
    try:
        return file_hash.short_hash(path_of(name))
    except OSError:
        return None
