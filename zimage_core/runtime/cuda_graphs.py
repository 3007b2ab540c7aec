"""Steps of the transformer as CUDA graphs: a whole step is launched at once, whatever it consists of.

A graph reads and writes fixed addresses. What changes from step to step (latents and modulation) or with every prompt
(the condition) is copied into buffers of its own first; weights are read where they are. So a graph holds for one
geometry and one set of weights: another geometry gets another graph, and when a layer or a weight is exchanged (a LoRA,
another precision, a move) all are dropped.
"""

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from .._shapes import Float
from ..measure import Run
from ..model import Condition, S3DiT
from ..model.condition import Modulation

MOST_GRAPHS = 8  # positive and negative prompt of four sizes; each keeps its inputs, its answer and its launches
WARM_UPS = 3  # back-ends choose and allocate before anything is recorded
LAUNCH_BOUND = 0.8  # of a step's time; a device with more work than that before it gains nothing from a graph

Inputs = tuple[Any, ...]  # trees of tensors
Step = Callable[..., Tensor]


@runtime_checkable
class Recorded(Protocol):
    """Work that can be done again on the same addresses."""

    def replay(self) -> None: ...


@runtime_checkable
class Capture(Protocol):
    """Records a run. `beside` is another recording of the same owner, which is never replayed at the same time."""

    def __call__(self, run: Run, beside: Recorded | None) -> tuple[Tensor, Recorded]: ...


class CudaRecording:
    """A graph and the stream it was recorded on."""

    def __init__(self, graph: torch.cuda.CUDAGraph, stream: torch.cuda.Stream) -> None:
        self.graph = graph
        self.stream = stream

    def replay(self) -> None:
        """Launch all of it on the current stream."""
        self.graph.replay()


def capture_cuda(run: Run, beside: Recorded | None) -> tuple[Tensor, CudaRecording]:
    """What a run returns, and its graph; warm-ups are on a stream of their own, as PyTorch asks for.

    Graphs of one owner share their stream and the memory they work in: each one's answer is taken away before the next
    is replayed. They also share the stream's cuBLAS workspace, which PyTorch frees with the first of them to go (its
    issue 193402), so all must go together.
    """
    former = beside if isinstance(beside, CudaRecording) else None
    current, stream = torch.cuda.current_stream(), torch.cuda.Stream() if former is None else former.stream
    pool = None if former is None else former.graph.pool()
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            run()
    current.wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    recording = torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local")
    with torch.cuda.stream(current), recording:  # the first, as PyTorch stays on its stream where a capture fails
        out = run()
    return out, CudaRecording(graph, stream)


def launch_bound(run: Run) -> tuple[Tensor, bool]:
    """What a run returns, and whether launching its work took most of its time, which a graph would save."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    out = run()
    launched = time.perf_counter() - start
    torch.cuda.synchronize()
    return out, launched >= LAUNCH_BOUND * (time.perf_counter() - start)


class StepGraph:
    """One geometry's step, recorded on copies of its inputs."""

    def __init__(
        self, step: Step, changing: Inputs, lasting: Inputs, capture: Capture, beside: Recorded | None
    ) -> None:
        self.changing, self.lasting = _copied(changing), _copied(lasting)
        self.known = lasting  # those the buffers hold
        self.out, self.recorded = capture(lambda: step(*self.changing, *self.lasting), beside)

    def __call__(self, changing: Inputs, lasting: Inputs) -> Tensor:
        """The step's answer, as a tensor of its own."""
        _fill(self.changing, changing)
        if any(given is not known for given, known in zip(lasting, self.known, strict=True)):
            _fill(self.lasting, lasting)
            self.known = lasting
        self.recorded.replay()
        return self.out.clone()


class Graphs:
    """The network of `S3DiT.flow`, recorded and bit-equal: `dit.flow(condition, sigmas, network=Graphs(dit))`.

    A host that runs blocks in its own way, or wants more than the network recorded, calls `run` with its own step.
    """

    def __init__(self, dit: S3DiT, capture: Capture = capture_cuda, beside: Sequence[nn.Module] = ()) -> None:
        self.dit = dit
        self.capture = capture
        self.beside = beside  # modules whose own parameters the network reads, without being part of it
        self.standing: Standing | None = None  # what the graphs were recorded with
        self.graphs: dict[Hashable, StepGraph] = {}

    def __call__(
        self, x: Float[Tensor, "b c H W"], condition: Condition, modulation: Modulation
    ) -> Float[Tensor, "b c H W"]:
        self.refresh()
        inputs = (x, modulation), (condition,)
        return self.run(self.key(*inputs), _step_of(self.dit), *inputs)

    def refresh(self) -> "Standing":
        """Drop the graphs if a weight or a layer is not where they were recorded; where all are now."""
        standing = _standing(self.dit, self.beside)
        if standing != self.standing:
            self.drop()
            self.standing = standing
        return standing

    def run(self, key: Hashable, step: Step, changing: Inputs, lasting: Inputs) -> Tensor:
        """`step(*changing, *lasting)`, recorded at its first time. Call `refresh` before.

        `lasting` inputs are copied where they are other objects than before, `changing` ones always.
        """
        if key not in self.graphs:
            if len(self.graphs) >= MOST_GRAPHS:
                self.drop()
            beside = next((graph.recorded for graph in self.graphs.values()), None)
            with torch.cuda.device_of(tree_leaves(changing)[0]):
                self.graphs[key] = StepGraph(step, changing, lasting, self.capture, beside)
        return self.graphs[key](changing, lasting)

    def key(self, changing: Inputs, lasting: Inputs, way: Hashable = None) -> Hashable:
        """What a graph holds for; `way` is what else the answer depends on, beside the weights."""
        # buffers made in inference mode cannot be written to outside of it
        return _geometry((changing, lasting)), way, torch.is_inference_mode_enabled()

    def drop(self) -> None:
        """Give all graphs and their buffers back; one alone must not go (`capture_cuda`)."""
        self.graphs.clear()


class Standing(NamedTuple):
    """Where a network's weights are and who computes with them: a LoRA beside a layer hangs a forward on it."""

    places: tuple[Hashable, ...]
    layers: tuple[Hashable, ...]
    devices: frozenset[torch.device]
    is_watched: bool  # by hooks in Python, which a graph does not call


def _standing(dit: S3DiT, beside: Sequence[nn.Module]) -> Standing:
    modules = list(dit.modules())
    tensors = [tensor for module in (*modules, *beside) for tensor in _own_tensors(module)]
    return Standing(
        places=tuple((tensor.data_ptr(), tensor.dtype) for tensor in tensors),
        layers=tuple((id(module), id(vars(module).get("forward"))) for module in modules),
        devices=frozenset(tensor.device for tensor in tensors),
        is_watched=any(module._forward_hooks or module._forward_pre_hooks for module in modules),  # pyright: ignore[reportPrivateUsage]
    )


def _own_tensors(module: nn.Module) -> Iterator[Tensor]:
    """A module's own parameters and buffers; of packed ones, the tensors they consist of."""
    owned = (*module._parameters.values(), *module._buffers.values())  # pyright: ignore[reportPrivateUsage]
    for tensor in owned:
        if tensor is not None:
            yield from _parts(tensor)


def _parts(tensor: Tensor) -> list[Tensor]:
    flatten = getattr(tensor, "__tensor_flatten__", None)  # PyTorch's protocol for tensors made of others
    return [tensor] if flatten is None else [getattr(tensor, name) for name in flatten()[0]]


def _step_of(dit: S3DiT) -> Step:
    return lambda x, modulation, condition: dit.network(x, condition, modulation)


def _copied(inputs: Inputs) -> Inputs:
    """The same in buffers of its own, strides kept."""
    return cast("Inputs", tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, inputs))


def _fill(buffers: Inputs, values: Inputs) -> None:
    pairs = zip(tree_leaves(buffers), tree_leaves(values), strict=True)
    tensors = [(buffer, value) for buffer, value in pairs if isinstance(buffer, Tensor)]
    copy_all = torch._foreach_copy_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    copy_all([buffer for buffer, _ in tensors], [value for _, value in tensors])  # one launch for many


def _geometry(inputs: object) -> Hashable:
    """Shapes and types of tensors, and every number that is not in one."""
    leaves = tree_leaves(inputs)
    return tuple((leaf.shape, leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else leaf for leaf in leaves)
