"""What `zimage caption` does with its parsed options: it asks a vision model about every picture and writes a file."""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from ..chat_server import ChatServer, is_address
from ..language.back_end import BackEnd
from ..language.captioning import Job, Outcome, Wish, Writer, caption_folder, read_instructions
from ..language.local_vision import VisionFolder, is_vision_folder
from ..language.remote import RemoteBackEnd
from ..nano.captioner import load_captioner
from ..nano.scene_captioner import SceneCaptioner
from ..scoring.lettering import RapidReader, Reader, TesseractReader, sure_lines
from ..scoring.lettering.rapid import PACKAGES
from .machine import device_of

NANO, LEARNED = "nano", "nano-learned"


def write_captions(options: argparse.Namespace) -> None:
    """Write the file; what has no caption is told on stderr, and an error where nothing has one."""
    check_options(options)
    job = job_of(options)
    outcome = Outcome()
    bars: list[tqdm[Any]] = []
    with ExitStack() as stack:
        for progress in caption_folder(job):
            if not bars:
                bars.append(stack.enter_context(tqdm(total=progress.total, unit="caption", file=sys.stderr)))
            bars[0].update()
            outcome.add(progress)
    if not outcome.told:
        first = outcome.failed[0]
        raise ValueError(f"no picture got a caption: {first.picture}: {first.problem}")
    for problem in outcome.problems:
        print(f"zimage: {problem}", file=sys.stderr)
    result = {
        "file": str(options.out),
        "pictures": len(outcome.records),
        "captions": outcome.told,
        "written": outcome.new,
        "problems": len(outcome.failed),
    }
    print(json.dumps(result) if options.json else f"{options.out}: {outcome}")


def check_options(options: argparse.Namespace) -> None:
    """Refuse what could not be written, before a model is loaded."""
    if options.out.suffix.lower() not in (".jsonl", ".json"):
        raise ValueError(f"{options.out} cannot be written: captions are saved as .jsonl")
    if not options.out.parent.is_dir():
        raise ValueError(f"{options.out} cannot be written: there is no folder {options.out.parent}")
    if options.targets and options.kind != "difference":
        raise ValueError("--targets is for --type difference, which compares two pictures")
    if options.with_model and not is_address(options.writer):
        raise ValueError(f"--with-model is for an address, and {options.writer} is none: leave it out")


def job_of(options: argparse.Namespace) -> Job:
    """What the options ask for."""
    reader = reader_of(options.reader) if options.writer not in (NANO, LEARNED) else None
    writer = Writer(
        wish=Wish(kind=options.kind, language=options.language, seed=options.seed),
        back_end=back_end_of(options.writer, options.with_model),
        instructions=read_instructions(options.kind, options.language, own=options.template),
        read=(lambda picture: lettering_of(reader, picture, options.language)) if reader else None,
        reader=reader.name if reader else "",
    )
    return Job(
        folder=options.folder,
        out=options.out,
        writer=writer,
        targets=options.targets,
        writes_text_files=options.text_files,
    )


def back_end_of(writer: str, model: str) -> BackEnd:
    """Who looks at the pictures."""
    if writer == NANO:
        return SceneCaptioner()
    if writer == LEARNED:
        return load_captioner()
    if is_address(writer):
        return RemoteBackEnd(ChatServer(address=writer, model=model))
    folder = Path(writer)
    if not folder.is_dir():
        raise ValueError(f"{writer} is neither nano, nor a folder, nor an address such as http://127.0.0.1:8080/v1")
    if not is_vision_folder(folder):
        raise ValueError(
            f"{writer} holds no vision-language model: config.json and preprocessor_config.json are missing"
        )
    return VisionFolder(folder, device=str(device_of(None)))


def reader_of(name: str) -> Reader | None:
    """The reader of text that was chosen, or one that is installed."""
    if name == "none":
        return None
    if name == "rapidocr" or (name == "automatic" and all(find_spec(package) for package in PACKAGES)):
        return RapidReader()
    return TesseractReader() if name == "tesseract" or shutil.which("tesseract") else None


def lettering_of(reader: Reader, picture: Image.Image, language: str) -> Sequence[str]:
    """The lines that a reader is sure of."""
    return sure_lines(reader.read(picture, language))
