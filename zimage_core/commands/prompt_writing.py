"""What `zimage enhance` does with its parsed options: it asks a language model and prints the prompt."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from ..chat_server import ChatServer, is_address
from ..checkpoints import load_text_encoder
from ..language import Budgets, load_language_model
from ..language.answer_checks import language_of_request
from ..language.back_end import BackEnd, LoadedModel
from ..language.enhance import enhance
from ..language.instructions import find_instructions, read_instruction
from ..language.remote import RemoteBackEnd
from ..language.wish import Wish
from ..nano.files import FOLDER, TOKENIZER
from ..nano.writer import load_writer
from ..text import Tokenizer, load_detokenizer, load_tokenizer, tokenize
from ..text.han import HAN

NANO = "nano"


def write_prompt(options: argparse.Namespace) -> None:
    """Print the prompt; why the request was left as it is goes to stderr."""
    file = options.template or find_instructions("enhance")[f"enhance.{language_of_request(options.prompt)}"]
    instruction = read_instruction(file)
    wish = Wish(
        language=options.language or "as the request",
        length=options.length,
        budgets=Budgets(thought=options.budget if options.thinking else 0),
        seed=options.seed,
    )
    back_end, tokenizer = back_end_of(options.encoder, options.encoder_model)
    with tqdm(unit="token", file=sys.stderr) as bar:
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
    print(json.dumps(asdict(found), ensure_ascii=False) if options.json else found.prompt)


def back_end_of(encoder: str, model: str) -> tuple[BackEnd, Tokenizer | None]:
    """Who writes, and the vocabulary its prompt will be counted by; none is known of a server."""
    if encoder == NANO:
        return load_writer(), load_tokenizer(FOLDER / TOKENIZER)
    if is_address(encoder):
        return RemoteBackEnd(ChatServer(address=encoder, model=model)), None
    folder = Path(encoder)
    if not folder.exists():
        raise ValueError(f"{encoder} is neither nano, nor a folder, nor an address such as http://127.0.0.1:8080/v1")
    places = [place / "tokenizer" for place in (folder, folder.parent, folder.parent.parent)]
    vocabulary = next((place for place in places if place.is_dir()), places[0])
    tokenizer = load_tokenizer(vocabulary)
    language_model = load_language_model(load_text_encoder(folder), folder)
    return LoadedModel(folder.name, language_model, tokenizer, load_detokenizer(vocabulary)), tokenizer


def count(prompt: str, tokenizer: Tokenizer | None) -> int:
    """Tokens of a prompt in the encoder's template; without its vocabulary one for each word or Han character."""
    if tokenizer is None:
        return len(prompt.split()) + len(HAN.findall(prompt))
    return len(tokenize(tokenizer, prompt, limit=None).ids)
