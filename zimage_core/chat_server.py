"""A chat model behind an OpenAI-compatible address that a person typed: llama.cpp, vLLM, Ollama, a hosted one.

Only that address is asked: redirections are not followed, so that a key goes nowhere else. The key is given or comes
from an environment variable, and stands in no message.
"""

import http.client
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar
from urllib.parse import urlsplit

from .chat_answer import Answer, ChatServerError, read_answer, read_stream
from .chat_exchange import Exchange, Refused, TooLarge

KEY_VARIABLE = "ZIMAGE_CHAT_KEY"
BUSY = (408, 409, 425, 429, 500, 502, 503, 504)  # asked again after a while
LONGEST_WAIT = 30.0  # seconds between two attempts, whatever the server wishes
LARGEST_ANSWER = 8 << 20  # bytes
T = TypeVar("T")
TOP = 20  # alternatives of the first token, the most that the protocol allows


class NoServerError(ChatServerError):
    """An address at which nobody answered, however often it was asked; asking on would only take time."""


@dataclass(frozen=True, kw_only=True)
class ChatServer:
    """Asks one model at one address, for example "http://127.0.0.1:8080/v1"."""

    address: str
    model: str = ""
    seconds: float = 120.0  # for one attempt
    attempts: int = 4
    key: str | None = field(default=None, repr=False)  # None: the environment's
    key_variable: str = KEY_VARIABLE
    wait: Callable[[float], object] = time.sleep  # between two attempts
    watch: Callable[[], object] | None = None  # called often while nothing arrives; cancels by raising

    def __post_init__(self) -> None:
        if not is_address(self.address):
            raise ChatServerError(
                f"{self.address!r} is no address of a chat server; type one like http://127.0.0.1:8080/v1"
            )

    @property
    def name(self) -> str:
        """The model, or where it is."""
        return self.model or urlsplit(self.address).netloc

    def ask(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tokens: int = 512,
        temperature: float = 0.0,
        seed: int = 0,
        is_thinking: bool = True,
        wants_first: bool = False,
    ) -> Answer:
        """An answer of at most that many tokens, the likeliest at temperature 0.

        `wants_first` asks for log-probabilities. Models that would think are told not to unless `is_thinking`, as
        vLLM and llama.cpp are told.
        """
        body = self._body(messages, tokens, temperature, seed, is_thinking=is_thinking)
        if wants_first:
            body |= {"logprobs": True, "top_logprobs": TOP}
        try:
            return read_answer(self._until_answered(body, b"".join), self.name)
        except ChatServerError as error:
            raise type(error)(self._without_key(str(error))) from None

    def stream(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tokens: int = 512,
        temperature: float = 0.0,
        seed: int = 0,
        is_thinking: bool = True,
    ) -> Iterator[Answer]:
        """The same in pieces, as the model writes them. To stop taking them closes the connection."""
        body = self._body(messages, tokens, temperature, seed, is_thinking=is_thinking) | {"stream": True}
        try:
            yield from read_stream(self._until_answered(body, begun), self.name)
        except (OSError, http.client.HTTPException) as error:
            raise ChatServerError(f"{self.name} stopped in the middle of its answer ({_told(error)})") from None
        except ChatServerError as error:
            raise type(error)(self._without_key(str(error))) from None

    def _body(
        self, messages: Sequence[Mapping[str, Any]], tokens: int, temperature: float, seed: int, *, is_thinking: bool
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"messages": list(messages), "max_tokens": tokens, "temperature": temperature}
        body["seed"] = seed
        if not is_thinking:
            body["chat_template_kwargs"] = {"enable_thinking": False}
        if self.model:
            body["model"] = self.model
        return body

    def _until_answered(self, body: Mapping[str, Any], read: Callable[[Iterator[bytes]], T]) -> T:
        """What `read` makes of the first answer's lines; a busy server, or none, is asked again after a while."""
        sent, problem, kind = json.dumps(body).encode(), "", NoServerError
        for attempt in range(self.attempts):
            try:
                return read(self._lines(sent))
            except Refused as refused:
                said = self._without_key(refused.said[:300].decode(errors="replace").strip())
                problem, wish, kind = f"answered {refused.status}: {said}", refused.wish, ChatServerError
                if refused.status not in BUSY:
                    break
            except (OSError, http.client.HTTPException) as error:
                problem, wish = f"did not answer ({_told(error)})", None
            if attempt + 1 < self.attempts:
                self.wait(wait_seconds(attempt, wish))
        raise kind(f"{self.name} at {self.address} {problem}")

    def _lines(self, body: bytes) -> Iterator[bytes]:
        """An answer's lines as they arrive."""
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if key := self._key():
            headers["Authorization"] = f"Bearer {key}"
        url = f"{self.address.rstrip('/')}/chat/completions"
        exchange = Exchange(url, body, headers, seconds=self.seconds, largest=LARGEST_ANSWER, watch=self.watch)
        try:
            yield from exchange
        except TooLarge:
            raise ChatServerError(
                f"{self.name} at {self.address} answered more than {LARGEST_ANSWER >> 20} MB"
            ) from None

    def _key(self) -> str:
        key = self._found_key()
        if not (key.isascii() and key.isprintable()):
            raise ChatServerError(f"the key for {self.address} holds signs that no key has; copy it again")
        return key

    def _found_key(self) -> str:
        return (os.environ.get(self.key_variable, "") if self.key is None else self.key).strip()

    def _without_key(self, text: str) -> str:
        key = self._found_key()
        return text.replace(key, "***") if key else text


def begun(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines whose first has arrived; what is no answer at all is raised here."""
    return chain([next(lines, b"")], lines)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def is_address(text: str) -> bool:
    """Whether it is a web address without a name, a password or a query in it."""
    try:
        url = urlsplit(text)
        has_port = url.port is None or url.port > 0
    except ValueError:
        return False
    is_plain = not (url.username or url.query or url.fragment)
    return url.scheme in ("http", "https") and bool(url.hostname) and has_port and is_plain


def wait_seconds(attempt: int, wish: str | None) -> float:
    """1, 2, 4 ... seconds, or what the server wishes, within bounds."""
    try:
        wished = float(wish or 0)
    except ValueError:  # a date
        wished = 0.0
    return min(LONGEST_WAIT, max(2.0**attempt, wished))
