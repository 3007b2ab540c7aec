"""`zimage enhance`: a full prompt from a short request."""

import argparse
from typing import Any

from .arguments import integer, model, number, path, text
from .generate import MAX_GIGABYTES, MAX_SEED

LANGUAGES = ("en", "zh")
LENGTHS = ("short", "medium", "long")
MAX_BUDGET = 32_768  # tokens


def add_enhance(verbs: Any) -> None:
    """Add the verb to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        "enhance",
        allow_abbrev=False,
        help="a full prompt from a short request",
        description="Writes a full prompt from a short request. Texts in quotation marks stay letter by letter, or the "
        "request comes back, and the reason on stderr.",
    )
    parser.set_defaults(run=run_enhance)
    parser.add_argument("prompt", type=text)
    parser.add_argument(
        "--encoder",
        required=True,
        type=model,
        metavar="nano|FOLDER|URL",
        help="who writes: nano, a folder with text_encoder and tokenizer, or the address of a chat model of yours "
        "(its key in ZIMAGE_CHAT_KEY)",
    )
    parser.add_argument("--encoder-model", default="", metavar="NAME", help="of the model behind an address")
    parser.add_argument("--thinking", action="store_true", help="think before writing")
    parser.add_argument("--budget", type=integer(1, MAX_BUDGET), default=1024, metavar="N", help="tokens to think")
    parser.add_argument("--template", type=path, metavar="FILE.md", help="your own instruction")
    parser.add_argument("--language", choices=LANGUAGES, help="of the prompt; default: the request's")
    parser.add_argument("--length", choices=LENGTHS, default="medium")
    parser.add_argument("--seed", type=integer(0, MAX_SEED), default=0, metavar="N")
    parser.add_argument("--device", metavar="D", default="cpu", help="of a folder: cpu, cuda, cuda:1, xpu or mps")
    parser.add_argument(
        "--memory-limit",
        type=number(0.0, MAX_GIGABYTES),
        metavar="GB",
        help="of the device's memory: what does not fit is copied there layer by layer for every token",
    )
    parser.add_argument("--json", action="store_true", help="print prompt and reasoning as one JSON object")


def run_enhance(options: argparse.Namespace) -> None:
    """Import what is needed, PyTorch among it, and run."""
    from .prompt_writing import write_prompt

    write_prompt(options)
