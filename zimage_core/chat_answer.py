"""What a chat server's bytes say: a whole completion, or one in events as it is written."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EVENT, LAST = b"data:", b"[DONE]"  # server-sent events, as the protocol streams
FIELDS = (b":", b"event:", b"id:", b"retry:")  # of an event, which say nothing here


class ChatServerError(ValueError):
    """A server that did not answer as the protocol says; its message is one sentence for a person."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model said, and the log-probabilities of its first token's alternatives, if the server tells them."""

    text: str
    thought: str = ""  # where the server tells it apart from the answer
    first_token: Mapping[str, float] | None = None

    def probability(self, tokens: Sequence[str]) -> float:
        """Of the first token being one of these, without regard to case and the space around it."""
        wanted = {token.strip().lower() for token in tokens}
        alternatives = (self.first_token or {}).items()
        return min(1.0, sum(math.exp(log) for token, log in alternatives if token.strip().lower() in wanted))


def read_answer(raw: bytes, name: str) -> Answer:
    """The first choice of a server's JSON."""
    try:
        choice = json.loads(raw)["choices"][0]
        message = choice["message"]
        thought = message.get("reasoning_content") or message.get("reasoning") or ""
        text = "" if thought and message["content"] is None else message["content"]  # tokens ran out in the thought
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise ChatServerError(f"{name} answered something else than a chat completion: {raw[:200]!r}") from None
    return Answer(text=whole(text), thought=whole(str(thought)), first_token=first_token(choice))


def read_stream(lines: Iterable[bytes], name: str) -> Iterator[Answer]:
    """The pieces of an answer as they come; a server that does not stream gives one."""
    others: list[bytes] = []
    has_begun = is_done = False
    for line in lines:
        if line.startswith(EVENT):
            has_begun, event = True, line[len(EVENT) :].strip()
            if event == LAST:
                return
            piece, is_last = _piece(event, name)
            is_done = is_done or is_last
            yield piece
        elif line.strip() and not line.startswith(FIELDS):
            others.append(line)
    if not has_begun:
        yield read_answer(b"".join(others), name)
    elif not is_done:
        raise ChatServerError(f"{name} stopped in the middle of its answer; queue again")


def _piece(event: bytes, name: str) -> tuple[Answer, bool]:
    """What an event adds, and whether it says that the answer is complete."""
    try:
        told = json.loads(event)
        if "error" in told:
            raise ChatServerError(f"{name} stopped in the middle of its answer: {str(told['error'])[:300]}")
        if not told["choices"]:  # counts of tokens
            return Answer(text=""), False
        choice = told["choices"][0]
        delta = choice.get("delta") or {}
        text, thought = delta.get("content") or "", delta.get("reasoning_content") or delta.get("reasoning") or ""
        if not (isinstance(text, str) and isinstance(thought, str)):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ChatServerError):
            raise
        raise ChatServerError(f"{name} answered something else than a chat completion: {event[:200]!r}") from None
    return Answer(text=whole(text), thought=whole(thought)), bool(choice.get("finish_reason"))


def first_token(choice: Mapping[str, Any]) -> dict[str, float] | None:
    """Alternatives of the first token with their log-probabilities; None where the server does not tell."""
    try:
        alternatives = choice["logprobs"]["content"][0]["top_logprobs"]
        return {str(each["token"]): float(each["logprob"]) for each in alternatives} or None
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def whole(text: str) -> str:
    """Without half characters (lone surrogates), which JSON can hold and no file and no vocabulary can."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
