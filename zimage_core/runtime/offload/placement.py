"""Where a run's networks compute: all of them on the device, or each where and when a memory plan says."""

from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..._shapes import Float
from ...model import Block, S3DiT, Stage
from ...model.condition import run_block
from ...text import Qwen3
from ...vae import Autoencoder, decode_within
from .device_scope import module_on_device
from .plan import Plan
from .streaming import stream


@runtime_checkable
class Blocks(Protocol):
    """How a placed transformer is run: `run` is a `RunBlock`, `preparing` wraps everything before the first step."""

    def run(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor: ...
    def preparing(self) -> AbstractContextManager[None]: ...


class ResidentBlocks:
    """Blocks whose weights are all on the device."""

    def run(self, stage: Stage, index: int, block: Block, x: Tensor) -> Tensor:
        return run_block(stage, index, block, x)

    def preparing(self) -> AbstractContextManager[None]:
        return nullcontext()


@runtime_checkable
class Placement(Protocol):
    """Puts each network, loaded in RAM, where it computes. A context manager that ends with the run.

    A network is dropped when the caller drops it, unless it is placed to stay until the end.
    """

    reference_device: torch.device  # where references are encoded

    def __enter__(self) -> object: ...
    def __exit__(self, *details: object) -> None: ...
    def text_encoder(self, encoder: Qwen3) -> AbstractContextManager[Qwen3]: ...
    def transformer(self, dit: S3DiT) -> AbstractContextManager[Blocks]: ...
    def decode(self, vae: Autoencoder, latent: Float[Tensor, "b z h w"]) -> Float[Tensor, "b 3 H W"]: ...


class AllOnDevice:
    """Every network on the device, whole."""

    def __init__(self, device: torch.device) -> None:
        self.reference_device = self._device = device

    def __enter__(self) -> object:
        return self

    def __exit__(self, *details: object) -> None:
        pass

    @contextmanager
    def text_encoder(self, encoder: Qwen3) -> Generator[Qwen3, None, None]:
        yield encoder.to(self._device)

    @contextmanager
    def transformer(self, dit: S3DiT) -> Generator[Blocks, None, None]:
        dit.to(self._device)
        yield ResidentBlocks()

    def decode(self, vae: Autoencoder, latent: Float[Tensor, "b z h w"]) -> Float[Tensor, "b 3 H W"]:
        return vae.to(self._device).decode(latent)


class AsPlanned:
    """Networks in RAM, each on the device when the plan says so; references, which no plan counts, on the CPU."""

    def __init__(self, plan: Plan, device: torch.device) -> None:
        self.reference_device = torch.device("cpu")
        self._plan, self._device = plan, device
        self._until_end = ExitStack()

    def __enter__(self) -> object:
        return self

    def __exit__(self, *details: object) -> None:
        self._until_end.close()

    @contextmanager
    def text_encoder(self, encoder: Qwen3) -> Generator[Qwen3, None, None]:
        """On the device only its layers; the embedding table stays in RAM, where its rows are looked up."""
        with self._scope(is_offloaded=self._plan.offload_text) as scope:
            if self._plan.text_on == "device":
                scope.enter_context(module_on_device(encoder.model.layers, self._device))
            yield encoder

    @contextmanager
    def transformer(self, dit: S3DiT) -> Generator[Blocks, None, None]:
        plan = self._plan
        with self._scope(is_offloaded=plan.offload_transformer) as scope:
            if plan.offload_preparation:
                streaming = stream(dit, self._device, resident=plan.resident, arena_limit=plan.arena_limit)
                yield scope.enter_context(streaming)
            else:
                scope.enter_context(module_on_device(dit, self._device))
                yield ResidentBlocks()

    def decode(self, vae: Autoencoder, latent: Float[Tensor, "b z h w"]) -> Float[Tensor, "b 3 H W"]:
        with module_on_device(vae.decoder, self._device):
            return decode_within(vae, latent, self._plan.decode_budget)

    @contextmanager
    def _scope(self, *, is_offloaded: bool) -> Generator[ExitStack, None, None]:
        """Ends with its `with` block for a network that is then offloaded, otherwise with the run."""
        with ExitStack() as scope:
            yield scope
            if not is_offloaded:
                self._until_end.enter_context(scope.pop_all())
