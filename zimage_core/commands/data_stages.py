"""What `zimage data` does with its parsed options."""

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from ..counted import counted
from ..curation.engine import Progress, Record, Stage, check_replaceable, is_done, read_record, run_stage
from ..curation.profiling import LearnedColumn, Listings, ProfileParameters, profile_stage, write_page
from .files import check_out, check_page


def profile_folder(options: argparse.Namespace) -> None:
    """Measure the pictures, and write the page where it is missing or the profile is new."""
    check_table(options.out, "profile")
    page: Path = options.page or options.out.with_suffix(".html")
    check_page(page)
    silence_pillow()
    parameters = ProfileParameters(most_pixels=round(options.most_megapixels * 1e6), keep_dates=options.keep_dates)
    learned = learned_of(options)
    hidden = (options.out.with_name(f".{options.out.name}.{each}") for each in ("listing", "captions"))
    listings = Listings(*hidden)
    try:
        stage = profile_stage(options.folder, listings, parameters, learned, earlier=options.out)
        if not is_done(stage, options.out):
            for each in learned:
                each.try_out()
        is_new, record = compute(stage, options.out)
    finally:
        for each in (listings.pictures, listings.captions):
            each.unlink(missing_ok=True)
    if is_new or is_older(page, options.out):
        write_page(options.out, page)
    result = {"file": str(options.out), "page": str(page), "new": is_new, **record.summary}
    print(json.dumps(result, ensure_ascii=False) if options.json else profile_told(record, options.out, page))


def learned_of(options: argparse.Namespace) -> Sequence[LearnedColumn]:
    """The columns by models; without any neither PyTorch nor anything else of theirs is imported."""
    if not options.learned:
        if options.encoder is not None:
            raise ValueError("--with is the encoder of --learned: name a column, such as --learned similarity")
        return ()
    from .data_learned import learned_columns

    return learned_columns(options.learned, options.encoder, options.device)


def check_table(out: Path, stage: str) -> None:
    """Refuse an output that could not be written, or would replace something else."""
    check_out(out, "tables", ".parquet")
    check_replaceable(out, stage)


def compute(stage: Stage, out: Path) -> tuple[bool, Record]:
    """Run a stage with a progress bar; whether anything was to do, and what its output tells of itself."""
    is_new = with_bar(run_stage(stage, out))
    return is_new, written(out)


def written(out: Path) -> Record:
    """What an output tells of itself that was just written."""
    record = read_record(out)
    if record is None:
        raise ValueError(f"{out} was changed by another program while it was written; run the command again")
    return record


def renewed(steps: Iterator[Progress], out: Path) -> tuple[bool, Record]:
    """Follow stages to their output; whether it is another one than before, and what it tells of itself."""
    before = read_record(out)
    with_bar(steps)
    record = written(out)
    return before is None or before.key != record.key, record


def is_older(file: Path, than: Path) -> bool:
    """Whether a file is missing, or was written before another."""
    return not file.is_file() or file.stat().st_mtime < than.stat().st_mtime


def silence_pillow() -> None:
    """Its warnings name no file; what spoils a picture is in its row of the profile."""
    warnings.filterwarnings("ignore", module="PIL")
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)


def with_bar(steps: Iterator[Progress]) -> bool:
    """Follow stages with a progress bar each; whether there was anything to do."""
    bar: tqdm[Any] | None = None
    name = ""
    with ExitStack() as stack:
        for progress in steps:
            if bar is None or progress.stage != name:
                stack.close()  # one bar at a time
                name = progress.stage
                bar = stack.enter_context(
                    tqdm(total=progress.total, initial=progress.done, desc=name, unit="part", file=sys.stderr)
                )
            bar.update(progress.done - bar.n)
    return bar is not None


def profile_told(record: Record, out: Path, page: Path) -> str:
    """The result for a person."""
    problems: dict[str, int] = record.summary["problems"]
    unread = ", ".join(f"{count} {kind}" for kind, count in problems.items())
    lines = [
        f"{out}: {counted(record.summary['pictures'], 'picture')}" + (f"; not read: {unread}" if unread else ""),
        *(
            f"  proposed: {each['column']} {'below' if each['side'] == 'low' else 'above'} {each['limit']:.4g} "
            f"({each['count']} of {each['of']})"
            for each in record.summary["proposals"]
        ),
        f"{page}: a contact sheet of each finding; nothing was applied, no picture was changed",
    ]
    return "\n".join(lines)
