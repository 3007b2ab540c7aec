"""What `zimage merge` does."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ..adapters import Delta, Lora, tensors_of, with_tensors
from ..checkpoints import DIT, read_lora, save_lora
from ..checkpoints.formats.files import tensor_files
from ..merging import (
    Merge,
    Method,
    OpenedMerge,
    extracted,
    is_lora,
    merge_metadata,
    open_merge,
    parse_source,
    reduced,
    summed,
    write_merged_model,
)
from ..merging.method import DENSITIES
from ..nano.files import file_of
from .files import check_out

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
NANO = Path("nano")
LORA = "z-image/lora"  # ModelSpec's architecture of an adapter
Advance = Callable[[str], None]


def write_merge(options: argparse.Namespace) -> None:
    """Merge, write the file and print what it took. Raises ValueError with one sentence."""
    start = time.perf_counter()
    merge = merge_of(options)
    is_sum_of_loras = merge.base is None and all(is_lora(each.file) for each in merge.sources)
    check_out(options.out, "LoRAs" if options.rank or is_sum_of_loras else "models", ".safetensors")
    refuse_input_as_output(merge, options.out)
    dtype = DTYPES[options.dtype] if options.dtype else None
    if is_sum_of_loras:
        told = write_lora_sum(merge, options, dtype)
    else:
        opened, found = best_merge(open_merge(merge), options)
        told = {**write_opened(opened, options, dtype), **found}
    print_result({"out": str(options.out), **told, "seconds": round(time.perf_counter() - start, 1)}, options.json)


def best_merge(opened: OpenedMerge, options: argparse.Namespace) -> tuple[OpenedMerge, dict[str, Any]]:
    """The merge as it was typed, or the best of a search, and what is told of that."""
    if not options.search:
        return opened, {}
    from .merge_search import searched

    return searched(opened, options)


def merge_of(options: argparse.Namespace) -> Merge:
    """The merge that was typed; nano stands for the built-in model."""
    density = DENSITIES[options.method] if options.density is None else options.density
    sources = [parse_source(each) for each in options.files]
    return Merge(
        sources=tuple(replace(each, file=built_in(each.file)) for each in sources),
        base=None if options.base is None else built_in(options.base),
        method=Method(options.method, density, options.seed),
    )


def built_in(file: Path) -> Path:
    """The file itself, or nano's."""
    return file_of(DIT) if file == NANO and not file.exists() else file


def refuse_input_as_output(merge: Merge, out: Path) -> None:
    """A file that is read cannot be replaced: what was merged would be gone."""
    inputs = [*(each.file for each in merge.sources), *([merge.base] if merge.base else [])]
    read = [file for each in inputs for file in tensor_files(DIT.path_in(each))]
    if out.exists() and any(out.samefile(each) for each in read):
        raise ValueError(f"{out} is one of the files that are merged: choose another --out")


def write_model(opened: OpenedMerge, out: Path, dtype: torch.dtype | None) -> dict[str, Any]:
    """Write a model; returns what is told of it."""
    with progress(len(opened.shapes)) as advance:
        write_merged_model(opened, out, merge_metadata(opened.merge, out.stem), advance, dtype)
    return {"kind": "model", "parameters": len(opened.shapes), "notes": opened.notes}


def write_extracted(opened: OpenedMerge, out: Path, rank: int, dtype: torch.dtype | None) -> dict[str, Any]:
    """Write the difference from the base as a LoRA."""
    with progress(len(opened.shapes)) as advance:
        found = extracted(opened, rank, out.name, advance)
    metadata = merge_metadata(opened.merge, out.stem, architecture=LORA)
    save_lora(in_dtype(found.lora, dtype), out, "ComfyUI", metadata)
    return {"kind": "LoRA", "rank": rank, "share": round(found.share, 4), "notes": opened.notes}


def write_opened(opened: OpenedMerge, options: argparse.Namespace, dtype: torch.dtype | None) -> dict[str, Any]:
    """Write a model, or a LoRA where a rank is given."""
    if options.rank:
        return write_extracted(opened, options.out, int(options.rank), dtype)
    return write_model(opened, options.out, dtype)


def write_lora_sum(merge: Merge, options: argparse.Namespace, dtype: torch.dtype | None) -> dict[str, Any]:
    """Write the sum of LoRAs, of fewer ranks if a rank is given."""
    if options.search:
        raise ValueError("--search needs the model that the LoRAs are for: name it with --base")
    rank, out = options.rank, options.out
    if merge.method.name != "sum":
        raise ValueError(f"{merge.method.name} needs the model that the LoRAs are for: name it with --base")
    lora = summed([(each, read_lora(each.file)) for each in merge.sources], out.name)
    lora = reduced(lora, rank) if rank else lora
    metadata = {**lora.metadata, **merge_metadata(merge, out.stem, architecture=LORA)}
    save_lora(in_dtype(lora, dtype), out, "ComfyUI", metadata)
    return {"kind": "LoRA", "rank": max(lora.report().ranks, default=None), "notes": ()}


def in_dtype(lora: Lora, dtype: torch.dtype | None) -> Lora:
    """A LoRA's numbers in a type, bfloat16 unless one is given."""

    def cast(delta: Delta) -> Delta:
        return with_tensors(delta, [each.to(dtype or torch.bfloat16) for each in tensors_of(delta)])

    return replace(lora, deltas={target: cast(delta) for target, delta in lora.deltas.items()})


@contextmanager
def progress(total: int) -> Generator[Advance, None, None]:
    """A bar on stderr, and a function that moves it by a parameter."""
    with tqdm(total=total, unit="parameter", file=sys.stderr) as bar:

        def advance(name: str) -> None:
            bar.update()

        yield advance


def print_result(told: dict[str, Any], is_json: bool) -> None:
    """As JSON, or as a few lines."""
    if is_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    lines = [f"{told['out']}: a {told['kind']}"]
    lines += [f"rank {told['rank']}"] if told.get("rank") else []
    lines += [f"holds {told['share']:.2%} of the difference"] if "share" in told else []
    found = [f"{name}: {weight}" for name, weight in told.get("weights", {}).items()]
    best = [f"best of {told['points']} by {told['score']}: {told['value']:.4g}", *found] if found else []
    print("\n".join([", ".join([*lines, f"{told['seconds']} s"]), *best, *told["notes"]]))
