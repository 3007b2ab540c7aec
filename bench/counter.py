"""Counts what a computation asks of the machine; no clock and no neighbour disturbs it.

An operation is one call that does work: views and empty buffers do none. What PyTorch composes of others is counted by
its parts, and so is a custom operation written in Python, whose name would hide its work. A custom operation in which
nothing is seen, as a Triton kernel, is one operation.
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

from .live_bytes import LiveBytes, storage_of

# Products, convolutions and attention: their operands are not elementwise traffic. The counter of PyTorch's own FLOPs
# knows most; these it does not.
OTHER_PRODUCTS = ("_int_mm", "_scaled_dot_product_flash_attention_for_cpu", "_weight_int8pack_mm", "_grouped_mm")
PRODUCT_NAMES = ("linear", "conv", "attention", "gemm")  # of custom operations

NO_WORK = ("_unsafe_view", "lift_fresh", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")
WRITE_ONLY = ("copy_", "fill_", "zero_")  # they do not read what they write on
SYNCS = ("_local_scalar_dense", "item", "nonzero", "masked_select", "_unique2", "unique_dim", "is_nonzero", "equal")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What one computation asked for."""

    operations: int
    elementwise_bytes: int  # read and written by everything but products, convolutions and attention
    allocations: int
    allocated_bytes: int
    syncs: int  # places where the host would wait for a device
    peak_bytes: int  # of new tensors alive at once

    def __sub__(self, other: "Counts") -> "Counts":
        """What one more layer adds; a peak is not a sum and stays."""
        mine, others = asdict(self), asdict(other)
        return Counts(**{key: mine[key] - (0 if key == "peak_bytes" else others[key]) for key in mine})


class Operation(NamedTuple):
    """One call that did work."""

    name: str
    elementwise_bytes: int


class Counter(TorchDispatchMode):
    """Counts while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Operation] = []
        self.allocations = self.allocated_bytes = self.syncs = 0
        self.live = LiveBytes()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        device = tensors[0].device.type if tensors else "cpu"
        if _is_composed(func, device):
            with self:
                return func.decompose(*args, **kwargs)
        body = _python_body(func, device)
        if body is not None:
            before = len(self.seen)
            with self:
                out = body(*args, **kwargs)
            if len(self.seen) == before:
                self._record(func, args, kwargs, out)
            return out
        out = func(*args, **kwargs)
        self._record(func, args, kwargs, out)
        return out

    def counts(self) -> Counts:
        """All so far."""
        return Counts(
            operations=len(self.seen),
            elementwise_bytes=sum(each.elementwise_bytes for each in self.seen),
            allocations=self.allocations,
            allocated_bytes=self.allocated_bytes,
            syncs=self.syncs,
            peak_bytes=self.live.peak,
        )

    def _record(self, func: Any, args: Any, kwargs: Mapping[str, Any], out: Any) -> None:
        name = _name(func)
        operands = [storage_of(leaf) for leaf in tree_leaves((args, kwargs))]
        self._track(tree_leaves(out), {each.data_ptr() for each in operands if each is not None})
        if func.is_view or name in NO_WORK:
            return
        self.syncs += name in SYNCS or _selects_by_mask(name, args) or _leaves_device(name, args, out)
        self.seen.append(Operation(name, 0 if _is_product(func) else _traffic(func, args, kwargs, out)))

    def _track(self, leaves: Iterable[Any], given: set[int]) -> None:
        """Storages that were neither an operand's nor seen before are allocations."""
        for leaf in leaves:
            storage = storage_of(leaf)
            if storage is not None and storage.data_ptr() not in given and self.live.add(storage):
                self.allocations += 1
                self.allocated_bytes += storage.nbytes()


def count(run: Callable[[], object]) -> Counts:
    """What one call asks for, without gradients. Tensors that live before it are not its allocations."""
    return recorded(run).counts()


@torch.no_grad()
def recorded(run: Callable[[], object]) -> Counter:
    """The counter of one call, whose `seen` tells the operations in order."""
    with Counter() as counter:
        run()
    return counter


def _name(func: Any) -> str:
    """`aten.mul.Tensor` as `mul`."""
    return func.overloadpacket.__name__


@cache
def _is_product(func: Any) -> bool:
    name = _name(func)
    is_custom = func.namespace not in ("aten", "prims")
    return (
        func.overloadpacket in flop_registry
        or name in OTHER_PRODUCTS
        or (is_custom and any(word in name for word in PRODUCT_NAMES))
    )


@cache
def _is_composed(func: Any, device: str) -> bool:
    """Whether the operation only calls others on this device."""
    has = torch._C._dispatch_has_kernel_for_dispatch_key  # pyright: ignore[reportPrivateUsage]
    return has(func.name(), "CompositeImplicitAutograd") and not has(func.name(), device.upper())


def _python_body(func: Any, device: str) -> Callable[..., Any] | None:
    """The Python function behind a custom operation, where there is one."""
    definition = OPDEFS.get(func.name().split(".")[0])
    if definition is None:
        return None
    bodies = definition._backend_fns  # pyright: ignore[reportPrivateUsage]
    return bodies.get(device, bodies.get(None))


def _traffic(func: Any, args: Any, kwargs: Mapping[str, Any], out: Any) -> int:
    """Bytes read and written. What is spread out by a stride of zero lies in memory once."""
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
    """Boolean indexing: how much is selected only the device knows."""
    if name not in ("index", "index_put", "index_put_", "_index_put_impl_"):
        return False
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in args[1])


def _leaves_device(name: str, args: Any, out: Any) -> bool:
    """A copy from a device to the host."""
    if name not in ("_to_copy", "copy_"):
        return False
    target = args[0] if name == "copy_" else out
    source = args[1] if name == "copy_" else args[0]
    return source.device.type != "cpu" and target.device.type == "cpu"
