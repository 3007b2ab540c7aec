"""Texts for a request by the text encoder that is loaded anyway, or a server: what was written before is found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from comfy import model_management
from comfy.utils import ProgressBar
from PIL import Image

from ....zimage_core.language import Budgets
from ....zimage_core.language.answer_checks import language_of_request
from ....zimage_core.language.back_end import BackEnd, Text
from ....zimage_core.language.enhance import enhance
from ....zimage_core.language.instructions import Instruction, find_instructions, read_instruction
from ....zimage_core.language.reply_cache import ReplyCache, cache_key
from ....zimage_core.language.variations import variations
from ....zimage_core.language.wish import Enhanced, Language, Wish
from ....zimage_core.language.writing_tasks import EDIT, NEGATIVE, PROMPT, Task
from ..loading import language, prompt_files
from ..loading.files import file_state
from ..loading.language_server import language_server, required_language_server
from ..loading.pictures import rgb, to_pil

BY_LANGUAGE = "by language"  # of the request: enhance.en or enhance.zh, the user's own before ours
ENCODER, SERVER = "text encoder", "language server"  # who writes
KINDS: dict[str, Task] = {"prompt": PROMPT, "negative prompt": NEGATIVE, "edit instruction": EDIT}
INSTRUCTIONS, CACHE = "instructions", "enhanced"  # folders in user/zimage
LANGUAGES: dict[str, Language] = {"as the request": "as the request", "English": "en", "Chinese": "zh"}
BETWEEN = "\n---\n"  # several texts in one box


@dataclass(frozen=True, kw_only=True)
class Written:
    """Texts for one request, the first being the one that counts; why there are fewer; what a picture tells of them."""

    texts: list[Enhanced]
    problem: str
    facts: dict[str, Any]

    @property
    def prompts(self) -> list[str]:
        """The texts alone."""
        return [each.prompt for each in self.texts]

    @property
    def reasoning(self) -> str:
        """All thoughts, in the order of the texts."""
        return "\n\n".join(each.reasoning for each in self.texts if each.reasoning)

    @property
    def is_changed(self) -> bool:
        """Whether anything was written."""
        return self.texts[0].changed

    @property
    def shown(self) -> str:
        """What the node says: the texts, and what is wrong."""
        if not self.is_changed and not self.texts[0].prompt:
            return f"Nothing was written: {self.problem}." if self.problem else ""
        if not self.is_changed:
            return f"The request stays as it is: {self.problem}." if self.problem else ""
        return BETWEEN.join(self.prompts) + (f"\n\n{self.problem}" if self.problem else "")


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


def wish(*, kind: str, when: Any, language: str, length: str, seed: int, thinking: int, earlier: str) -> Wish:
    """How a request is to be enhanced, from the node's widgets."""
    return Wish(
        task=KINDS[kind],
        when=when,
        language=LANGUAGES[language],
        length=length,
        budgets=Budgets(thought=thinking),
        seed=seed,
        earlier=earlier,
    )


def own(text: str, request: str) -> Written:
    """Texts that a person wrote, with a line of --- between them."""
    texts = [Enhanced(prompt=each, changed=each != request) for each in text.split(BETWEEN) if each.strip()]
    return Written(texts=texts, problem="", facts=_facts(request, texts, "by hand"))


def enhanced(
    clip: Any, writer: str, request: str, name: str, wish: Wish, count: int, images: Any, *, keeps_on_disk: bool
) -> Written:
    """Texts for a request; the model is asked only for what was never written before."""
    back_end: BackEnd = required_language_server() if writer == SERVER else language.back_end_of(clip)
    chosen = _instruction(name, wish.task, request)
    pictures = [] if images is None or not back_end.sees else [to_pil(each) for each in rgb(images)]
    write = _writing(clip, back_end, request, chosen, pictures, keeps_on_disk=keeps_on_disk)
    progress = ProgressBar(count * (wish.budgets.thought + wish.budgets.answer))

    def show(text: Text) -> None:
        model_management.throw_exception_if_processing_interrupted()
        progress.update(1)

    texts = variations(lambda own: write(own, show), wish, count)
    problems = [texts[0].problem, *dict.fromkeys(each.note for each in texts)]
    if texts[0].changed and len(texts) < count:
        problems.append(f"Only {len(texts)} of {count} texts differ: ask for fewer, or say less in the request.")
    if images is not None and texts[0].changed and not back_end.sees:
        problems.append("The pictures were not looked at: this model reads words only.")
    facts = _facts(request, texts, told_name(clip, writer, back_end), instruction=chosen, wish=wish)
    return Written(texts=texts, problem=" ".join(filter(None, problems)), facts=facts)


def told_name(clip: Any, writer: str, back_end: BackEnd) -> str:
    """Who wrote, for a picture that others see: no address stands there."""
    if writer == SERVER:
        server = language_server()
        return (server.server.model if server else "") or SERVER
    return language.told_name(clip, back_end)


def count_tokens(clip: Any, prompt: str) -> int:
    """Tokens of a prompt as the encoder will read it, template included."""
    return len(next(iter(clip.tokenize(prompt).values()))[0])


def _writing(
    clip: Any,
    back_end: BackEnd,
    request: str,
    instruction: Instruction,
    pictures: Sequence[Image.Image],
    *,
    keeps_on_disk: bool,
) -> Callable[[Wish, Callable[[Text], object]], Enhanced]:
    """Who writes one text, or finds it on disk."""
    cache = ReplyCache(prompt_files.user_folder() / CACHE)

    def write(wish: Wish, show: Callable[[Text], object]) -> Enhanced:
        key = cache_key(request, back_end.name, instruction, wish, pictures)
        if keeps_on_disk and (found := cache.get(key)):
            return found
        written = enhance(
            request, back_end, instruction, wish, lambda prompt: count_tokens(clip, prompt), show, pictures
        )
        if keeps_on_disk:
            cache.put(key, written)
        return written

    return write


def _facts(
    request: str,
    texts: list[Enhanced],
    writer: str,
    *,
    instruction: Instruction | None = None,
    wish: Wish | None = None,
) -> dict[str, Any]:
    """What a picture's metadata tell: before, after, by whom and how."""
    told = {"instruction": instruction.name, "version": instruction.version} if instruction else {}
    seed = {"seed": wish.seed} if wish else {}
    return {"request": request, "written": [each.prompt for each in texts], "writer": writer, **told, **seed}


def _instruction(name: str, task: Task, request: str) -> Instruction:
    """The instruction of that name; raises ValueError with one sentence."""
    found = _files()
    wanted = f"{task.name}.{language_of_request(request)}" if name == BY_LANGUAGE else name
    if wanted not in found:
        raise ValueError(f"There is no instruction called {wanted}: choose one from the list, or {BY_LANGUAGE}.")
    return read_instruction(found[wanted])


def _files() -> dict[str, Any]:
    """Of all kinds: the user's own come before ours of the same name."""
    place = prompt_files.user_folder() / INSTRUCTIONS
    kinds = [task.name for task in KINDS.values()]
    return {name: file for kind in kinds for name, file in find_instructions(kind, [place / kind]).items()}
