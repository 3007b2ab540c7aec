"""`zimage caption`: captions for the pictures of a folder."""

import argparse
from typing import Any

from .arguments import integer, model, path
from .generate import MAX_SEED

KINDS = ("tags", "short", "medium", "long", "user", "difference")
LANGUAGES = ("en", "zh")
READERS = ("automatic", "rapidocr", "tesseract", "none")
DESCRIPTION = """Writes a line for every picture of a folder into a JSONL file: the caption, who wrote it, by which
template and seed, and what is wrong with it if something is. The same command goes on where it was stopped. "user" are
requests as people type them; "difference" are instructions from each to each other picture of one name (cat.source and
cat.target, cat_1 and cat_2, or two folders). cat.json beside cat.png may tell what sight does not: {"title": "..."}."""


def add_caption(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "caption", allow_abbrev=False, help="captions for the pictures of a folder", description=DESCRIPTION
    )
    parser.set_defaults(run=run_caption)
    parser.add_argument("folder", type=path, metavar="FOLDER", help="with the pictures")
    parser.add_argument("--targets", type=path, metavar="FOLDER", help="what they became, under the same names")
    parser.add_argument("--type", required=True, choices=KINDS, dest="kind")
    parser.add_argument("--language", choices=LANGUAGES, default="en")
    parser.add_argument(
        "--with",
        required=True,
        type=model,
        dest="writer",
        metavar="nano|nano-learned|FOLDER|URL",
        help="who looks: nano for its own scenes, exactly; nano-learned for what nano's trained captioner makes of "
        "them, which errs now and then; a folder with a vision-language model for transformers, or the "
        "address of one (its key in ZIMAGE_CHAT_KEY)",
    )
    parser.add_argument("--with-model", default="", metavar="NAME", help="of the model behind an address")
    parser.add_argument("--out", required=True, type=path, metavar="FILE.jsonl", help="created, or continued")
    parser.add_argument(
        "--text-files",
        action="store_true",
        help="also write cat.txt beside cat.png, as trainers read it; one that somebody else wrote or edited stays",
    )
    parser.add_argument("--template", type=path, metavar="FILE.md", help="your own instruction")
    parser.add_argument(
        "--reader", choices=READERS, default=READERS[0], help="of text in pictures; default: if installed"
    )
    parser.add_argument("--seed", type=integer(0, MAX_SEED), default=0, metavar="N")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run_caption(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .caption_writing import write_captions

    write_captions(options)
