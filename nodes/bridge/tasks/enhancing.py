"""Enhancing a prompt with the text encoder that is loaded anyway, or a server: what was written before is found."""

from typing import Any

from comfy import model_management
from comfy.utils import ProgressBar

from ....zimage_core.language import Budgets
from ....zimage_core.language.answer_checks import language_of_request
from ....zimage_core.language.back_end import BackEnd, Text
from ....zimage_core.language.enhance import Enhanced, Language, Wish, enhance
from ....zimage_core.language.instructions import Instruction, find_instructions, read_instruction
from ....zimage_core.language.reply_cache import ReplyCache, cache_key
from ..loading import language, prompt_files
from ..loading.files import file_state
from ..loading.language_server import language_server, required_language_server

BY_LANGUAGE = "by language"  # of the request: enhance.en or enhance.zh, the user's own before ours
ENCODER, SERVER = "text encoder", "language server"  # who writes
INSTRUCTIONS, CACHE = "instructions/enhance", "enhanced"  # folders in user/zimage
LANGUAGES: dict[str, Language] = {"as the request": "as the request", "English": "en", "Chinese": "zh"}


def instruction_names() -> list[str]:
    """For the dropdown."""
    return [BY_LANGUAGE, *_files()]


def instruction_state(name: str) -> str:
    """Changes with the files an instruction may be read from."""
    found = _files()
    chosen = [found[name]] if name in found else list(found.values())
    return " ".join(f"{file} {file_state(str(file))}" for file in chosen)


def server_state(writer: str) -> str:
    """Changes with the server that would write; the error of a wrong address belongs to the run."""
    try:
        server = language_server() if writer == SERVER else None
    except ValueError as error:
        return str(error)
    return server.name if server else ""


def wish(*, when: Any, language: str, length: str, seed: int, thinking: int) -> Wish:
    """How a request is to be enhanced, from the node's widgets."""
    return Wish(when=when, language=LANGUAGES[language], length=length, budgets=Budgets(thought=thinking), seed=seed)


def enhanced(clip: Any, writer: str, request: str, name: str, wish: Wish, *, keeps_on_disk: bool) -> Enhanced:
    """The prompt for a request; the model is asked only for what was never written before."""
    back_end: BackEnd = required_language_server() if writer == SERVER else language.back_end_of(clip)
    chosen = _instruction(name, request)
    cache = ReplyCache(prompt_files.user_folder() / CACHE)
    key = cache_key(request, back_end.name, chosen, wish)
    if keeps_on_disk and (found := cache.get(key)):
        return found
    progress = ProgressBar(wish.budgets.thought + wish.budgets.answer)

    def show(text: Text) -> None:
        model_management.throw_exception_if_processing_interrupted()
        progress.update(1)

    written = enhance(request, back_end, chosen, wish, lambda prompt: count_tokens(clip, prompt), show)
    if keeps_on_disk:
        cache.put(key, written)
    return written


def report(written: Enhanced) -> str:
    """What the node shows: the prompt, or why there is none."""
    if written.changed:
        return written.prompt
    return f"The request stays as it is: {written.problem}." if written.problem else ""


def count_tokens(clip: Any, prompt: str) -> int:
    """Tokens of a prompt as the encoder will read it, template included."""
    return len(next(iter(clip.tokenize(prompt).values()))[0])


def _instruction(name: str, request: str) -> Instruction:
    """The instruction of that name; raises ValueError with one sentence."""
    found = _files()
    wanted = f"enhance.{language_of_request(request)}" if name == BY_LANGUAGE else name
    if wanted not in found:
        raise ValueError(f"There is no instruction called {wanted}: choose one from the list, or {BY_LANGUAGE}.")
    return read_instruction(found[wanted])


def _files() -> dict[str, Any]:
    return find_instructions("enhance", [prompt_files.user_folder() / INSTRUCTIONS])
