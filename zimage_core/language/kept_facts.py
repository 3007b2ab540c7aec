"""What a request says and its prompt has to say, too, where somebody can read that: checked, not hoped for.

Free text cannot be read in code, but the captions of a small world can. A back end that knows such a world says what
its own answer lost, and puts it back.
"""

from typing import Protocol, runtime_checkable

from .back_end import BackEnd


@runtime_checkable
class KeepsFacts(Protocol):
    """A back end that reads what texts of its world say."""

    def lost(self, request: str, prompt: str) -> list[str]:
        """What the request says and the prompt leaves out or says otherwise, in the request's language."""
        ...

    def with_facts(self, request: str, prompt: str, language: str) -> str:
        """A prompt in "en" or "zh" that says it all, and of the rest what `prompt` says; or `prompt` as it is."""
        ...


def lost_facts(back_end: BackEnd, request: str, prompt: str) -> list[str]:
    """What a prompt lost of its request; nothing of a back end that reads no facts."""
    return back_end.lost(request, prompt) if isinstance(back_end, KeepsFacts) else []


def with_facts(back_end: BackEnd, request: str, prompt: str, language: str) -> str:
    """The prompt with what it lost; as it is of a back end that reads no facts."""
    return back_end.with_facts(request, prompt, language) if isinstance(back_end, KeepsFacts) else prompt
