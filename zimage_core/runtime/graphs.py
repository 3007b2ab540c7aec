"""Steps of the transformer as CUDA graphs: a whole step is launched at once, whatever it consists of.

A graph reads and writes fixed addresses. What changes (latents and modulation at every step, the condition with every
prompt) is copied into buffers of its own first; weights are read where they are. So a graph holds for one geometry and
one set of weights: another geometry gets another graph, and when a layer or a weight is exchanged (a LoRA, another
precision, a move) all are dropped.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from .._shapes import Float
from ..measure import Run
from ..model import Condition, S3DiT
from ..model.condition import Modulation

MOST_GRAPHS = 4  # each keeps a step's activations: positive and negative prompt of two sizes
WARM_UPS = 3  # back-ends choose and allocate before anything is recorded


@runtime_checkable
class Recorded(Protocol):
    """Work that can be done again on the same addresses."""

    def replay(self) -> None: ...


Capture = Callable[[Run], tuple[Tensor, Recorded]]


def capture_cuda(run: Run) -> tuple[Tensor, Recorded]:
    """What a run returns, and its graph; warm-ups are on a stream of their own, as PyTorch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = run()
    return out, graph


class StepGraph:
    """One geometry's step, recorded."""

    def __init__(self, dit: S3DiT, x: Tensor, condition: Condition, modulation: Modulation, capture: Capture) -> None:
        self.x, self.condition, self.modulation = _copied((x, condition, modulation))
        self.known: Condition | None = condition  # the one the buffers hold
        self.out, self.recorded = capture(lambda: dit.network(self.x, self.condition, self.modulation))

    def __call__(
        self, x: Float[Tensor, "b c H W"], condition: Condition, modulation: Modulation
    ) -> Float[Tensor, "b c H W"]:
        """The network's answer, as a tensor of its own."""
        self.x.copy_(x)
        _fill(self.modulation, modulation)
        if condition is not self.known:
            _fill(self.condition, condition)
            self.known = condition
        self.recorded.replay()
        return self.out.clone()


class Graphs:
    """The network of `S3DiT.flow`, recorded and bit-equal: `dit.flow(condition, sigmas, network=Graphs(dit))`."""

    def __init__(self, dit: S3DiT, capture: Capture = capture_cuda) -> None:
        self.dit = dit
        self.capture = capture
        self.weights: Hashable = None  # what the graphs were recorded with
        self.graphs: OrderedDict[Hashable, StepGraph] = OrderedDict()

    def __call__(
        self, x: Float[Tensor, "b c H W"], condition: Condition, modulation: Modulation
    ) -> Float[Tensor, "b c H W"]:
        weights = _identity(self.dit)
        if weights != self.weights:
            self.drop()
            self.weights = weights
        geometry = _geometry((x, condition, modulation))
        if geometry not in self.graphs:
            while len(self.graphs) >= MOST_GRAPHS:
                self.graphs.popitem(last=False)
            self.graphs[geometry] = StepGraph(self.dit, x, condition, modulation, self.capture)
        self.graphs.move_to_end(geometry)
        return self.graphs[geometry](x, condition, modulation)

    def drop(self) -> None:
        """Give all graphs and their buffers back."""
        self.graphs.clear()


def _copied(inputs: tuple[Tensor, Condition, Modulation]) -> tuple[Tensor, Condition, Modulation]:
    """The same in buffers of its own, strides kept."""
    copies = tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, inputs)
    return cast("tuple[Tensor, Condition, Modulation]", copies)


def _fill(buffers: object, values: object) -> None:
    for buffer, value in zip(tree_leaves(buffers), tree_leaves(values), strict=True):
        if isinstance(buffer, Tensor):
            buffer.copy_(value)


def _geometry(inputs: object) -> Hashable:
    """What a graph holds for: shapes and types of tensors, and every number that is not in one."""
    leaves = tree_leaves(inputs)
    return tuple((leaf.shape, leaf.dtype, leaf.device) if isinstance(leaf, Tensor) else leaf for leaf in leaves)


def _identity(dit: S3DiT) -> Hashable:
    """Where all weights are, and who computes with them: a LoRA beside a layer hangs a forward on it."""
    places = tuple(tensor.data_ptr() for tensor in (*dit.parameters(), *dit.buffers()))
    return places, tuple((id(module), id(vars(module).get("forward"))) for module in dit.modules())
