"""A chat model behind an OpenAI-compatible address that a person typed: llama.cpp, vLLM, Ollama, a hosted one.

Only that address is asked: redirections are not followed, so that a key goes nowhere else. The key is given or comes
from an environment variable, and stands in no message.
"""

import http.client
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

KEY_VARIABLE = "ZIMAGE_CHAT_KEY"
BUSY = (408, 409, 425, 429, 500, 502, 503, 504)  # asked again after a while
LONGEST_WAIT = 30.0  # seconds between two attempts, whatever the server wishes
LARGEST_ANSWER = 8 << 20  # bytes
TOP = 20  # alternatives of the first token, the most that the protocol allows


class ChatServerError(ValueError):
    """A server that did not answer as the protocol says; its message is one sentence for a person."""


class NoServerError(ChatServerError):
    """An address at which nobody answered, however often it was asked; asking on would only take time."""


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


@dataclass(frozen=True, kw_only=True)
class ChatServer:
    """Asks one model at one address, for example "http://127.0.0.1:8080/v1"."""

    address: str
    model: str = ""
    seconds: float = 120.0  # for one attempt
    attempts: int = 4
    key: str | None = field(default=None, repr=False)  # None: the environment's
    key_variable: str = KEY_VARIABLE
    wait: Callable[[float], object] = time.sleep

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
        temperature: float = 0,
        seed: int = 0,
        is_thinking: bool = True,
        wants_first: bool = False,
    ) -> Answer:
        """An answer of at most that many tokens, the likeliest at temperature 0.

        `wants_first` asks for log-probabilities. Models that would think are told not to unless `is_thinking`, as
        vLLM and llama.cpp are told.
        """
        body: dict[str, Any] = {"messages": list(messages), "max_tokens": tokens, "temperature": temperature}
        body["seed"] = seed
        if not is_thinking:
            body["chat_template_kwargs"] = {"enable_thinking": False}
        if self.model:
            body["model"] = self.model
        if wants_first:
            body |= {"logprobs": True, "top_logprobs": TOP}
        try:
            return read_answer(self._ask_until_answered(json.dumps(body).encode()), self.name)
        except ChatServerError as error:
            raise type(error)(self._without_key(str(error))) from None

    def _ask_until_answered(self, body: bytes) -> bytes:
        problem, kind = "", NoServerError
        for attempt in range(self.attempts):
            try:
                status, wish, answer = self._ask_once(body)
            except (OSError, http.client.HTTPException) as error:
                problem, wish = f"did not answer ({type(error).__name__}: {error})", None
            else:
                if status == 200:
                    return answer
                kind = ChatServerError
                problem = f"answered {status}: {self._without_key(answer[:300].decode(errors='replace').strip())}"
                if status not in BUSY:
                    break
            if attempt + 1 < self.attempts:
                self.wait(wait_seconds(attempt, wish))
        raise kind(f"{self.name} at {self.address} {problem}")

    def _ask_once(self, body: bytes) -> tuple[int, str | None, bytes]:
        url = urlsplit(self.address)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=self.seconds)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key := self._key():
            headers["Authorization"] = f"Bearer {key}"
        try:
            connection.request("POST", url.path.rstrip("/") + "/chat/completions", body, headers)
            response = connection.getresponse()
            answer = response.read(LARGEST_ANSWER + 1)
            if len(answer) > LARGEST_ANSWER:
                raise ChatServerError(f"{self.name} at {self.address} answered more than {LARGEST_ANSWER >> 20} MB")
            return response.status, response.getheader("Retry-After"), answer
        finally:
            connection.close()

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


def read_answer(raw: bytes, name: str) -> Answer:
    """The first choice of a server's JSON."""
    try:
        choice = json.loads(raw)["choices"][0]
        message = choice["message"]
        thought = message.get("reasoning_content") or message.get("reasoning") or ""
        text = "" if thought and message["content"] is None else message["content"]  # tokens ran out in the thought
        if not isinstance(text, str):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise ChatServerError(f"{name} answered something else than a chat completion: {raw[:200]!r}") from None
    return Answer(text=text, thought=str(thought), first_token=first_token(choice))


def first_token(choice: Mapping[str, Any]) -> dict[str, float] | None:
    """Alternatives of the first token with their log-probabilities; None where the server does not tell."""
    try:
        alternatives = choice["logprobs"]["content"][0]["top_logprobs"]
        return {str(each["token"]): float(each["logprob"]) for each in alternatives} or None
    except (KeyError, IndexError, TypeError, ValueError):
        return None
