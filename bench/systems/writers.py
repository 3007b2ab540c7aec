"""Three systems that write text with one Qwen3: ours, transformers and ComfyUI's native generation.

Each goes on from a prompt greedily, by its own loop with its own cache, and tells when a token has been chosen.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zimage_core.config import TextConfig
from zimage_core.language import GREEDY, LanguageHead, LanguageModel, Writer
from zimage_core.text import Qwen3

from .comfyui import import_comfyui, qwen3_widths
from .diffusers_networks import build_language_model

CPU = torch.device("cpu")
OnToken = Callable[[], object]


@runtime_checkable
class WritingSystem(Protocol):
    """Writes `n_tokens` after a prompt; nothing ends a text early."""

    @property
    def name(self) -> str: ...
    def write(self, prompt: Sequence[int], n_tokens: int, on_token: OnToken) -> list[int]: ...


class Ours:
    """This pack's writer on the encoder that reads prompts."""

    name = "ours"

    def __init__(self, config: TextConfig, state: Mapping[str, Tensor]) -> None:
        encoder, head = Qwen3(config, device="meta"), LanguageHead(config, device="meta")
        for network in (encoder, head):
            network.load_state_dict({key: state[key] for key in network.state_dict()}, assign=True)
            network.requires_grad_(False)
        self._model = LanguageModel(encoder, head)

    def write(self, prompt: Sequence[int], n_tokens: int, on_token: OnToken) -> list[int]:
        """By `Writer`, as the enhancer does."""
        written = list[int]()
        for token in Writer(self._model, prompt, GREEDY, seed=0).until((), n_tokens):
            written.append(token)
            on_token()
        return written


class Transformers:
    """`Qwen3ForCausalLM.generate`."""

    name = "transformers"

    def __init__(self, config: TextConfig, state: Mapping[str, Tensor]) -> None:
        self._network = build_language_model(config, state, CPU)

    def write(self, prompt: Sequence[int], n_tokens: int, on_token: OnToken) -> list[int]:
        """A streamer is told of each token, and of the prompt before all."""
        found = self._network.generate(
            torch.tensor([list(prompt)]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=n_tokens,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
            streamer=_Streamer(on_token),
        )
        return found[0, len(prompt) :].tolist()


class ComfyUI:
    """The network behind ComfyUI's TextGenerate node, which computes in the weights' precision here."""

    name = "ComfyUI"

    def __init__(self, config: TextConfig, state: Mapping[str, Tensor]) -> None:
        comfy: Any = import_comfyui(CPU)
        dtype = state["model.norm.weight"].dtype
        self._network = comfy.text_encoders.llama.Qwen3_4B(qwen3_widths(config), dtype, "meta", comfy.ops.manual_cast)
        self._network.load_state_dict(dict(state), assign=True)
        self._network.requires_grad_(False)
        self._dtype = dtype

    def write(self, prompt: Sequence[int], n_tokens: int, on_token: OnToken) -> list[int]:
        """Its loop looks every token up among those that end a text."""
        embeddings = self._network.model.embed_tokens(torch.tensor([list(prompt)]))
        return self._network.generate(
            embeddings,
            do_sample=False,
            max_length=n_tokens,
            stop_tokens=_NoStop(on_token),
            execution_dtype=self._dtype,
        )


SYSTEMS: tuple[type[Ours] | type[Transformers] | type[ComfyUI], ...] = (Ours, Transformers, ComfyUI)


class _Streamer:
    """What transformers' `generate` streams to."""

    def __init__(self, on_token: OnToken) -> None:
        self._on_token, self._is_prompt = on_token, True

    def put(self, value: Tensor) -> None:
        if not self._is_prompt:
            self._on_token()
        self._is_prompt = False

    def end(self) -> None:
        """Nothing is kept back."""


class _NoStop:
    """Tokens that end a text: none."""

    def __init__(self, on_token: OnToken) -> None:
        self._on_token = on_token

    def __contains__(self, token: int) -> bool:
        self._on_token()
        return False
