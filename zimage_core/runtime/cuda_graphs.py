"""Steps of the transformer as CUDA graphs: all kernels of a step are launched at once.

A graph reads and writes fixed addresses. Inputs are copied into buffers before a replay: dynamic ones (latents,
modulation) at every step, static ones (the condition, the same for all steps of a run) when they are other objects.
Weights are read in place. So a capture is valid for one set of input shapes and one state of the weights: other shapes
get another capture, and when a layer or a weight is exchanged (a LoRA, another precision, a move) all are dropped.
"""

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from .._shapes import Float
from ..measure import Compute
from ..model import Condition, S3DiT
from ..model.condition import Modulation
from .capture import CaptureFunction, OwnStreamCapture, Replayable

MAX_CAPTURES = 8  # positive and negative prompt of four sizes; each keeps buffers, its output and its kernel launches
LAUNCH_BOUND = 0.8  # of a step's time spent on launches; below that the GPU has work queued and a graph gains nothing

Inputs = tuple[Any, ...]  # pytrees with tensors as leaves
Step = Callable[..., Tensor]


def launch_bound(run: Compute) -> tuple[Tensor, bool]:
    """The result of a run, and whether launching its kernels took most of its time, which a graph would save."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    out = run()
    launched = time.perf_counter() - start
    torch.cuda.synchronize()
    return out, launched >= LAUNCH_BOUND * (time.perf_counter() - start)


class StepCapture:
    """The capture of a step for one set of input shapes, with the buffers it reads its inputs from."""

    def __init__(
        self, step: Step, dynamic: Inputs, static: Inputs, capture: CaptureFunction, pool_from: Replayable | None
    ) -> None:
        self.dynamic, self.static = _cloned(dynamic), _cloned(static)
        self.static_source = static  # the inputs that the static buffers are copies of
        self.out, self.captured = capture(lambda: step(*self.dynamic, *self.static), pool_from)

    def __call__(self, dynamic: Inputs, static: Inputs) -> Tensor:
        """The step's output for these inputs, as a tensor of its own."""
        _copy_into(self.dynamic, dynamic)
        if any(given is not source for given, source in zip(static, self.static_source, strict=True)):
            _copy_into(self.static, static)
            self.static_source = static
        self.captured.replay()
        return self.out.clone()


class CapturedSteps:
    """All captures of one model, which share a stream and a memory pool and are dropped together."""

    def __init__(self, capture: CaptureFunction | None = None) -> None:
        self.capture = capture or OwnStreamCapture()
        self.fingerprint: WeightFingerprint | None = None  # of the weights at the time of the captures
        self.captures: dict[Hashable, StepCapture] = {}
        self.device_bytes = 0  # what the captures take, where the caller measures it

    def refresh(
        self, network: nn.Module, extra_modules: Sequence[nn.Module] = (), state: Hashable = None
    ) -> "WeightFingerprint":
        """Drop all captures if they are of another network, other weights or another `state`; the fingerprint now.

        `extra_modules` are no submodules of the network, but it reads their own parameters.
        """
        fingerprint = fingerprint_of(network, extra_modules, state)
        if fingerprint != self.fingerprint:
            self.drop()
            self.fingerprint = fingerprint
        return fingerprint

    def run(self, key: Hashable, step: Step, dynamic: Inputs, static: Inputs) -> Tensor:
        """`step(*dynamic, *static)`, captured the first time and replayed from then on. Call `refresh` before.

        Static inputs are copied only where they are other objects than the last time, dynamic ones always.
        """
        if key not in self.captures:
            self.make_room()
            pool_from = next((each.captured for each in self.captures.values()), None)
            with torch.cuda.device_of(tree_leaves(dynamic)[0]):
                self.captures[key] = StepCapture(step, dynamic, static, self.capture, pool_from)
        return self.captures[key](dynamic, static)

    def key(self, dynamic: Inputs, static: Inputs, variant: Hashable = None) -> Hashable:
        """What a capture is valid for; `variant` is what else the output depends on, besides inputs and weights."""
        # buffers made in inference mode cannot be written to outside of it
        return _shapes_and_values((dynamic, static)), variant, torch.is_inference_mode_enabled()

    def make_room(self) -> None:
        """Drop all captures if there are as many as are allowed; one alone must not be freed (`OwnStreamCapture`)."""
        if len(self.captures) >= MAX_CAPTURES:
            self.drop()

    def drop(self) -> int:
        """Free all captures and their buffers; the bytes that they took."""
        freed, self.device_bytes = self.device_bytes, 0
        self.captures.clear()
        return freed


class CapturedNetwork:
    """The network of `S3DiT.flow`, captured; bit-equal: `dit.flow(condition, sigmas, network=CapturedNetwork(dit))`."""

    def __init__(self, dit: S3DiT, capture: CaptureFunction | None = None) -> None:
        self.dit = dit
        self.steps = CapturedSteps(capture)

    def __call__(
        self, x: Float[Tensor, "b c H W"], condition: Condition, modulation: Modulation
    ) -> Float[Tensor, "b c H W"]:
        self.steps.refresh(self.dit)
        inputs = (x, modulation), (condition,)
        return self.steps.run(self.steps.key(*inputs), _step_of(self.dit), *inputs)


class WeightFingerprint(NamedTuple):
    """What a capture depends on besides its inputs: two are equal where a replay computes what the network would.

    A forward set on an instance belongs to it, since unmerged LoRAs work that way.
    """

    network: nn.Module  # compared by identity
    addresses: tuple[Hashable, ...]  # and dtypes, of parameters and buffers
    layers: tuple[Hashable, ...]  # identities of modules and of forwards set on instances
    state: Hashable
    devices: frozenset[torch.device]
    has_hooks: bool  # in Python, which a replay does not call


def fingerprint_of(network: nn.Module, extra_modules: Sequence[nn.Module], state: Hashable) -> WeightFingerprint:
    """The fingerprint of a network, and of the own parameters of `extra_modules`, as they are now."""
    modules = list(network.modules())
    tensors = [tensor for module in (*modules, *extra_modules) for tensor in _own_tensors(module)]
    return WeightFingerprint(
        network=network,
        addresses=tuple((tensor.data_ptr(), tensor.dtype) for tensor in tensors),
        layers=tuple((id(module), id(vars(module).get("forward"))) for module in modules),
        state=state,
        devices=frozenset(tensor.device for tensor in tensors),
        has_hooks=any(module._forward_hooks or module._forward_pre_hooks for module in modules),  # pyright: ignore[reportPrivateUsage]
    )


def _own_tensors(module: nn.Module) -> Iterator[Tensor]:
    """Parameters and buffers of a module without its submodules; of quantized ones, their inner tensors."""
    owned = (*module._parameters.values(), *module._buffers.values())  # pyright: ignore[reportPrivateUsage]
    for tensor in owned:
        if tensor is not None:
            yield from _inner_tensors(tensor)


def _inner_tensors(tensor: Tensor) -> list[Tensor]:
    flatten = getattr(tensor, "__tensor_flatten__", None)  # PyTorch's protocol for wrapper subclasses
    return [tensor] if flatten is None else [getattr(tensor, name) for name in flatten()[0]]


def _step_of(dit: S3DiT) -> Step:
    return lambda x, modulation, condition: dit.network(x, condition, modulation)


def _cloned(inputs: Inputs) -> Inputs:
    """Copies of all tensors, strides kept."""
    return cast("Inputs", tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, inputs))


def _copy_into(buffers: Inputs, values: Inputs) -> None:
    pairs = zip(tree_leaves(buffers), tree_leaves(values), strict=True)
    tensors = [(buffer, value) for buffer, value in pairs if isinstance(buffer, Tensor)]
    copy_all = torch._foreach_copy_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    copy_all([buffer for buffer, _ in tensors], [value for _, value in tensors])  # one launch for many


def _shapes_and_values(inputs: object) -> Hashable:
    """Shapes, dtypes and devices of tensor leaves; other leaves by value."""
    leaves = tree_leaves(inputs)
    return tuple((leaf.shape, leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else leaf for leaf in leaves)
