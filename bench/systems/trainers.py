"""Systems that make one LoRA step of flow matching on the same weights, noise and levels.

Ours is the pack's training step. The others are networks as users train them: diffusers' module with PEFT's LoRA
layers, as its DreamBooth script has it, and ComfyUI's own module with the branches that its training node adds in
bypass mode. All learn in float32 beside the layers of `MAIN_LAYERS`, by AdamW.
"""

import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from zimage_core.config import FLUX_VAE, QWEN3_4B, DiTConfig
from zimage_core.model import S3DiT
from zimage_core.text import Qwen3
from zimage_core.training.flow_training import FlowMatching
from zimage_core.training.loop.micro_batches import Noised, micro_batches, stacked
from zimage_core.training.objectives.noised import losses_of
from zimage_core.training.trainables import AllWeights, LoraTrainable, Trainable
from zimage_core.training.trainables.lora import MAIN_LAYERS
from zimage_core.vae import Autoencoder

from ..random_weights import Setup, State, Weights
from .comfyui import ComfyUI
from .diffusers_networks import build_transformer

CPU = torch.device("cpu")
LEARNING_RATE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is trained and how memory is saved."""

    config: DiTConfig
    rank: int = 32
    is_checkpointed: bool = True
    is_compiled: bool = False  # ours
    kind: str = "lora"  # of ours


@runtime_checkable
class TrainingSystem(Protocol):
    """Makes steps on examples; the loss is that before the step."""

    @property
    def name(self) -> str: ...
    def step(self, examples: Sequence[Noised]) -> float: ...


class Ours:
    """The pack's step."""

    name = "ours"

    def __init__(self, training: Training, state: State) -> None:
        self._dit = S3DiT(training.config, device="meta")
        self._dit.load_state_dict(state, assign=True)
        self._dit.requires_grad_(False)
        self._trainable = self._learns(training)
        self._optimizer = torch.optim.AdamW(self._trainable.parameters(), lr=LEARNING_RATE, fused=True)
        self._run = FlowMatching(saves_memory=training.is_checkpointed, compiles=training.is_compiled).run

    def _learns(self, training: Training) -> Trainable:
        generator, rank = torch.Generator().manual_seed(0), training.rank
        return LoraTrainable(self._dit, rank=rank, alpha=rank, generator=generator, kind=training.kind)

    def step(self, examples: Sequence[Noised]) -> float:
        self._optimizer.zero_grad(set_to_none=True)
        with self._trainable.attached():
            loss = losses_of(self._dit, examples, run=self._run)[0].mean()
            loss.backward()
        self._optimizer.step()
        return loss.item()


class Full(Ours):
    """All weights learn; each system has its own."""

    name = "all weights"

    def __init__(self, training: Training, state: State) -> None:
        super().__init__(training, {key: value.clone() for key, value in state.items()})

    def _learns(self, training: Training) -> Trainable:
        return AllWeights(self._dit)


class Autocast(Ours):
    """Products in bfloat16."""

    name = "autocast"

    def step(self, examples: Sequence[Noised]) -> float:
        with torch.autocast("cpu", torch.bfloat16):
            return super().step(examples)


class FullAutocast(Full, Autocast):
    """All weights learn, with products in bfloat16."""


class Unfrozen(Ours):
    """What a base that is not frozen would cost: its weights' gradients, which nothing uses."""

    name = "unfrozen"

    def __init__(self, training: Training, state: State) -> None:
        super().__init__(training, {key: value.clone() for key, value in state.items()})
        self._dit.layers.requires_grad_(True)

    def step(self, examples: Sequence[Noised]) -> float:
        self._dit.zero_grad(set_to_none=True)
        return super().step(examples)


class OneAtATime(Ours):
    """A budget of tokens for one picture: their gradients add up."""

    name = "one at a time"

    def step(self, examples: Sequence[Noised]) -> float:
        self._optimizer.zero_grad(set_to_none=True)
        total = 0.0
        with self._trainable.attached():
            for group in micro_batches(examples, 1):
                loss = losses_of(self._dit, group, run=self._run)[0].sum() / len(examples)
                loss.backward()
                total += loss.item()
        self._optimizer.step()
        return total


class Encoding(Ours):
    """What the folder of encoded files saves: the frozen encoders run in each step, the text encoder layer by layer."""

    name = "encoding"

    def __init__(self, training: Training, state: State, side: int) -> None:
        super().__init__(training, state)
        one_layer = replace(QWEN3_4B, n_layers=2)  # of which the last never runs
        self._text, self._vae = Qwen3(one_layer).requires_grad_(False), Autoencoder(FLUX_VAE).requires_grad_(False)
        self._pixels = torch.zeros(1, 3, side, side)

    def step(self, examples: Sequence[Noised]) -> float:
        with torch.no_grad():
            for each in examples:
                self._vae.posterior(self._pixels)
                for _ in range(QWEN3_4B.n_layers_run):
                    self._text.encode([[1] * len(each.caption)])
        return super().step(examples)


class Diffusers:
    """Its module with PEFT's layers: the prediction is negated, and gradients checkpointed, as in its script."""

    name = "diffusers + PEFT"

    def __init__(self, training: Training, state: State) -> None:
        from peft import LoraConfig  # type: ignore[import-not-found]

        self._network = build_transformer(training.config, state).train()
        targets = r"layers\.\d+\.(attention\.to_(q|k|v|out\.0)|feed_forward\.w[123])"
        self._network.add_adapter(LoraConfig(r=training.rank, lora_alpha=training.rank, target_modules=targets))
        if training.is_checkpointed:
            self._network.enable_gradient_checkpointing()
        learned = [each for each in self._network.parameters() if each.requires_grad]
        self._optimizer = torch.optim.AdamW(learned, lr=LEARNING_RATE, fused=True)

    def step(self, examples: Sequence[Noised]) -> float:
        self._optimizer.zero_grad(set_to_none=True)
        (x0, noise, sigma), captions = stacked(examples), [each.caption for each in examples]
        noisy = _noisy(x0, noise, sigma)
        predicted = -torch.stack(self._network(list(noisy[:, :, None]), 1 - sigma, captions)[0])[:, :, 0]
        return _stepped(self._optimizer, predicted, noise - x0)


class ComfyUINative(ComfyUI):
    """Its module with a branch beside each layer, as its training node's bypass mode computes it (alpha = rank)."""

    name = "ComfyUI, bypass"

    def __init__(self, training: Training, state: State) -> None:
        weights = Weights(Setup(dit=training.config, text=QWEN3_4B, vae=FLUX_VAE))
        weights.__dict__["dit"] = state  # the shared one
        super().__init__(weights)
        self._adapters = importlib.import_module("comfy.weight_adapter.lora")
        self._network = self._dit().train()
        adapted = [layer for name, layer in self._network.named_modules() if re.fullmatch(MAIN_LAYERS, name)]
        learned = [each for layer in adapted for each in self._with_branch(layer, training.rank)]
        if training.is_checkpointed:
            for block in self._network.layers:
                block.forward = _checkpointed(block.forward)
        self._optimizer = torch.optim.AdamW(learned, lr=LEARNING_RATE, fused=True)

    def _with_branch(self, layer: Any, rank: int) -> list[nn.Parameter]:
        adapter = self._adapters.LoRAAdapter.create_train(layer.weight, rank=rank, alpha=float(rank))
        adapter.requires_grad_(True)
        adapter.alpha.requires_grad_(False)
        layer.forward = self._forward(layer, layer.forward, adapter)
        return [each for each in adapter.parameters() if each.requires_grad]

    def _forward(self, layer: Any, own: Callable[[Tensor], Tensor], adapter: Any) -> Callable[[Tensor], Tensor]:
        """Bypass mode: the branch is added to the layer's output."""

        def forward(x: Tensor) -> Tensor:
            out = own(x)
            return adapter.g(out + adapter.h(x, out))

        return forward

    def step(self, examples: Sequence[Noised]) -> float:
        """As its node does: what has no gradient, such as its own kernels, is left out while training."""
        self.comfy.model_management.in_training = True
        try:
            return self._trained(examples)
        finally:
            self.comfy.model_management.in_training = False

    def _trained(self, examples: Sequence[Noised]) -> float:
        self._optimizer.zero_grad(set_to_none=True)
        (x0, noise, sigma), captions = stacked(examples), [each.caption for each in examples]
        context = torch.stack(captions)
        options = {"optimized_attention_override": self._pytorch_attention}
        predicted = self._network(
            _noisy(x0, noise, sigma), sigma, context, context.shape[1], transformer_options=options
        )
        return _stepped(self._optimizer, predicted, noise - x0)


class ComfyUIDefault(ComfyUINative):
    """Its node's default: every layer computes with a changed copy of its weight, made anew each time."""

    name = "ComfyUI's default"

    def _forward(self, layer: Any, own: Callable[[Tensor], Tensor], adapter: Any) -> Callable[[Tensor], Tensor]:
        return lambda x: nn.functional.linear(x, adapter(layer.weight), layer.bias)


SYSTEMS: tuple[Callable[[Training, State], TrainingSystem], ...] = (Ours, Diffusers, ComfyUINative, ComfyUIDefault)


def _noisy(x0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    level = sigma[:, None, None, None]
    return (1 - level) * x0 + level * noise


def _stepped(optimizer: torch.optim.Optimizer, predicted: Tensor, target: Tensor) -> float:
    loss = (predicted.float() - target.float()).square().mean()
    loss.backward()
    optimizer.step()
    return loss.item()


def _checkpointed(forward: Callable[..., Tensor]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return run
