"""Counts operations, memory traffic, allocations and syncs of a computation; deterministic, unlike timings.

Every dispatched call that does work is one operation; views and uninitialized buffers are not counted. Composite
operations are decomposed and counted by their parts, and so are custom operations implemented in Python and those of
tensor subclasses, such as ComfyUI's packed weights. A custom operation that dispatches nothing itself, such as a Triton
kernel, counts as one operation.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._library.custom_ops import OPDEFS
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from zimage_core.runtime.live_bytes import LiveBytes, storage_of

# GEMMs, convolutions and attention: their operands are not elementwise traffic. PyTorch's FLOP counter registers most
# of them; these are missing there.
OTHER_COMPUTE_OPS = ("_int_mm", "_scaled_dot_product_flash_attention_for_cpu", "_weight_int8pack_mm", "_grouped_mm")
COMPUTE_OP_WORDS = ("linear", "conv", "attention", "gemm")  # substrings that mark custom operations of this kind

NO_WORK = (
    *("_unsafe_view", "lift_fresh", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"),
    "_fused_sdp_choice",  # looks at shapes and types only
)
WRITE_ONLY = ("copy_", "fill_", "zero_")  # in-place operations that do not read their target
SYNCS = ("_local_scalar_dense", "item", "nonzero", "masked_select", "_unique2", "unique_dim", "is_nonzero", "equal")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Totals of one computation."""

    operations: int
    elementwise_bytes: int  # read and written by everything except GEMMs, convolutions and attention
    allocations: int
    allocated_bytes: int
    syncs: int  # operations at which the CPU would wait for the GPU
    peak_bytes: int  # peak of live bytes in newly allocated tensors

    def __sub__(self, other: "Counts") -> "Counts":
        """Cost of one additional layer. A peak is not additive and is kept as it is."""
        mine, others = asdict(self), asdict(other)
        return Counts(**{key: mine[key] - (0 if key == "peak_bytes" else others[key]) for key in mine})


class Operation(NamedTuple):
    """One counted operation."""

    name: str
    elementwise_bytes: int


class Counter(TorchDispatchMode):
    """Dispatch mode that counts every operation while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.allocations = self.allocated_bytes = self.syncs = 0
        self.live = LiveBytes()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(kind is not Tensor for kind in types):  # tensor subclasses, whose own operations come by here in turn
            return NotImplemented
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        device = tensors[0].device.type if tensors else "cpu"
        if _is_composed(func, device):
            with self:
                return func.decompose(*args, **kwargs)
        body = _python_body(func, device)
        if body is not None:
            before = len(self.operations)
            with self:
                out = body(*args, **kwargs)
            if len(self.operations) == before:
                self._count_operation(func, args, kwargs, out)
            return out
        out = func(*args, **kwargs)
        self._count_operation(func, args, kwargs, out)
        return out

    def counts(self) -> Counts:
        """Totals so far."""
        return Counts(
            operations=len(self.operations),
            elementwise_bytes=sum(each.elementwise_bytes for each in self.operations),
            allocations=self.allocations,
            allocated_bytes=self.allocated_bytes,
            syncs=self.syncs,
            peak_bytes=self.live.peak,
        )

    def _count_operation(self, func: Any, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        name = _name(func)
        operands = [storage_of(leaf) for leaf in tree_leaves((args, kwargs))]
        self._track(tree_leaves(out), {each.data_ptr() for each in operands if each is not None})
        if func.is_view or name in NO_WORK:
            return
        self.syncs += name in SYNCS or _selects_by_mask(name, args) or _leaves_device(name, args, out)
        self.operations.append(Operation(name, 0 if _is_compute_op(func) else _traffic(func, args, kwargs, out)))

    def _track(self, leaves: Iterable[Any], operand_addresses: set[int]) -> None:
        """Count output storages that are neither an operand's nor already tracked as allocations."""
        for leaf in leaves:
            storage = storage_of(leaf)
            if storage is not None and storage.data_ptr() not in operand_addresses and self.live.add(storage):
                self.allocations += 1
                self.allocated_bytes += storage.nbytes()


def count(run: Callable[[], object]) -> Counts:
    """Counts of one call, without gradients. Tensors allocated before the call are not counted."""
    return trace(run).counts()


@torch.no_grad()
def trace(run: Callable[[], object]) -> Counter:
    """The counter after one call; its `operations` are in execution order."""
    with Counter() as counter:
        run()
    return counter


def _name(func: Any) -> str:
    """`aten.mul.Tensor` as `mul`."""
    return func.overloadpacket.__name__


@cache
def _is_compute_op(func: Any) -> bool:
    """Whether this is a GEMM, a convolution or attention."""
    name = _name(func)
    is_custom = func.namespace not in ("aten", "prims")
    return (
        func.overloadpacket in flop_registry
        or name in OTHER_COMPUTE_OPS
        or (is_custom and any(word in name for word in COMPUTE_OP_WORDS))
    )


@cache
def _is_composed(func: Any, device: str) -> bool:
    """Whether the operation is implemented by other operations on this device."""
    has = torch._C._dispatch_has_kernel_for_dispatch_key  # pyright: ignore[reportPrivateUsage]
    return has(func.name(), "CompositeImplicitAutograd") and not has(func.name(), device.upper())


def _python_body(func: Any, device: str) -> Callable[..., Any] | None:
    """The Python implementation of a custom operation, or None."""
    definition = OPDEFS.get(func.name().split(".")[0])
    if definition is None:
        return None
    bodies = definition._backend_fns  # pyright: ignore[reportPrivateUsage]
    return bodies.get(device, bodies.get(None))


def _traffic(func: Any, args: Any, kwargs: Mapping[str, Any], out: Any) -> int:
    """Bytes read and written. Dimensions broadcast with stride 0 are counted once."""
    name = _name(func)
    arguments = [(argument, value) for argument, value in zip(func._schema.arguments, args, strict=False)]
    arguments += [(argument, kwargs[argument.name]) for argument in func._schema.arguments if argument.name in kwargs]
    total = 0
    for argument, value in arguments:
        is_written = argument.alias_info is not None and argument.alias_info.is_write
        if is_written and (name in WRITE_ONLY or argument.is_out):
            continue
        total += sum(_bytes(leaf) for leaf in tree_leaves(value))
    return total + sum(_bytes(leaf) for leaf in tree_leaves(out))


def _bytes(value: Any) -> int:
    if not isinstance(value, Tensor):
        return 0
    elements = 1
    for size, stride in zip(value.shape, value.stride(), strict=True):
        elements *= size if stride or not size else 1
    return elements * value.element_size()


def _selects_by_mask(name: str, args: Any) -> bool:
    """Boolean indexing: the output size depends on device data."""
    if name not in ("index", "index_put", "index_put_", "_index_put_impl_"):
        return False
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in args[1])


def _leaves_device(name: str, args: Any, out: Any) -> bool:
    """A copy from GPU to CPU."""
    if name not in ("_to_copy", "copy_"):
        return False
    target = args[0] if name == "copy_" else out
    source = args[1] if name == "copy_" else args[0]
    return source.device.type != "cpu" and target.device.type == "cpu"
