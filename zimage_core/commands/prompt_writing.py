"""What `zimage enhance` does with its parsed options: it asks a language model and prints the prompt."""

import argparse
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from ..chat_server import ChatServer, is_address
from ..checkpoints import load_text_encoder
from ..han import HAN
from ..language import Budgets, load_language_model
from ..language.answer_checks import language_of_request
from ..language.back_end import BackEnd, LoadedModel
from ..language.enhance import enhance
from ..language.instructions import find_instructions, read_instruction
from ..language.placement import placed
from ..language.remote import RemoteBackEnd
from ..language.wish import Wish
from ..nano.files import FOLDER, TOKENIZER
from ..nano.writer import load_writer
from ..text import Tokenizer, load_detokenizer, load_tokenizer, tokenize
from .machine import device_of

NANO = "nano"


def write_prompt(options: argparse.Namespace) -> None:
    """Print the prompt; why the request was left as it is goes to stderr."""
    check_options(options)
    file = options.template or find_instructions("enhance")[f"enhance.{language_of_request(options.prompt)}"]
    instruction = read_instruction(file)
    wish = Wish(
        language=options.language or "as the request",
        length=options.length,
        budgets=Budgets(thought=options.budget if options.thinking else 0),
        seed=options.seed,
    )
    with back_end_of(options) as (back_end, tokenizer), tqdm(unit="token", file=sys.stderr) as bar:
        found = enhance(
            options.prompt,
            back_end,
            instruction,
            wish,
            count_tokens=lambda prompt: count(prompt, tokenizer),
            on_text=lambda text: bar.update(),
        )
    if found.problem:
        print(f"zimage: the request stays as it is: {found.problem}", file=sys.stderr)
    if found.note:
        print(f"zimage: {found.note}", file=sys.stderr)
    print(json.dumps(asdict(found), ensure_ascii=False) if options.json else found.prompt)


def check_options(options: argparse.Namespace) -> None:
    """Refuse an empty request and what would have no effect, before a model is loaded."""
    if not options.prompt.strip():
        raise ValueError("the request is empty: write what the picture should show")
    has_address = is_address(options.encoder)
    if options.encoder_model and not has_address:
        raise ValueError(f"--encoder-model is for an address, and {options.encoder} is none: leave it out")
    if options.encoder == NANO or has_address:
        for name, is_given in (("device", options.device != "cpu"), ("memory-limit", options.memory_limit is not None)):
            if is_given:
                raise ValueError(f"--{name} is for a folder, and {options.encoder} is none: leave it out")


@contextmanager
def back_end_of(options: argparse.Namespace) -> Generator[tuple[BackEnd, Tokenizer | None], None, None]:
    """Who writes, and the vocabulary its prompt will be counted by; none is known of a server."""
    if options.encoder == NANO:
        yield load_writer(), load_tokenizer(FOLDER / TOKENIZER)
    elif is_address(options.encoder):
        yield RemoteBackEnd(ChatServer(address=options.encoder, model=options.encoder_model)), None
    else:
        folder, device = Path(options.encoder), device_of(options.device)
        vocabulary = vocabulary_of(folder)
        tokenizer = load_tokenizer(vocabulary)
        model = load_language_model(load_text_encoder(folder), folder)
        limit = None if options.memory_limit is None else int(options.memory_limit * 1e9)
        with placed(model, device, limit) as writing:
            yield LoadedModel(folder.name, writing, tokenizer, load_detokenizer(vocabulary)), tokenizer


def vocabulary_of(folder: Path) -> Path:
    """The tokenizer in an encoder's folder, or in one of the two around it."""
    if not folder.exists():
        raise ValueError(f"{folder} is neither nano, nor a folder, nor an address such as http://127.0.0.1:8080/v1")
    places = [place / "tokenizer" for place in (folder, folder.parent, folder.parent.parent)]
    return next((place for place in places if place.is_dir()), places[0])


def count(prompt: str, tokenizer: Tokenizer | None) -> int:
    """Tokens of a prompt in the encoder's template; without its vocabulary one for each word or Han character."""
    if tokenizer is None:
        return len(prompt.split()) + len(HAN.findall(prompt))
    return len(tokenize(tokenizer, prompt, limit=None).ids)
