"""Streaming with a simulated GPU: every operation computes with weights that are on it."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from streamed_network import SIGMAS, check_untouched, inputs, network, prepared, state_of, velocities
from zimage_core.runtime.offload import device_scope
from zimage_core.runtime.offload.partition import partition
from zimage_core.runtime.offload.streaming import stream


class Distance(TorchDispatchMode):
    """Makes the processor two devices: no operation but a copy may touch the host's memory."""

    def __init__(self, dit):
        super().__init__()
        self.host = {tensor.untyped_storage().data_ptr() for tensor in dit.parameters()}
        self.is_far = True

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        carriers = ("copy_", "clone", "detach", "view", "alias", "as_strided", "slice", "split", "empty", "set_data")
        if self.is_far and not any(word in func.__name__ for word in carriers):
            for tensor in tree_leaves((args, kwargs)):
                if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().data_ptr() in self.host:
                    raise AssertionError(f"{func} was given a tensor that is on the host")
        return func(*args, **(kwargs or {}))


@pytest.fixture
def far(monkeypatch):
    """A device as far away as a copy."""
    monkeypatch.setattr(device_scope, "to_device", lambda tensor, device: tensor.clone())


@pytest.mark.slow
@pytest.mark.parametrize("limit", [None, 0], ids=["arena", "own memory"])
@pytest.mark.parametrize("resident", [0, 3, 7])
@torch.inference_mode()
def test_nothing_computes_with_weights_that_are_on_the_host(far, resident, limit):
    dit = network()
    before, plain = state_of(dit), velocities(dit)
    latent, _ = inputs()
    with stream(dit, "cpu", resident=resident, arena_limit=limit) as blocks:
        passing = {id(tensor) for each in partition(dit, resident).streamed.values() for tensor in each}
        guard = Distance(dit)
        guard.host -= {each.untyped_storage().data_ptr() for each in dit.parameters() if id(each) not in passing}
        guard.host |= {each.untyped_storage().data_ptr() for each in partition(dit, resident).preparation}
        with guard:
            with blocks.preparing():
                velocity = prepared(dit, blocks)
            for sigma, expected in zip(SIGMAS, plain, strict=True):
                assert torch.equal(velocity(latent, sigma), expected)
            with pytest.raises(AssertionError, match="on the host"):
                velocity(latent, 0.123)  # a level without a table needs what has left
    check_untouched(dit, before)


def test_module_placed_gives_every_tensor_its_own_memory_back(far):
    dit = network()
    before = state_of(dit)
    addresses = [parameter.data_ptr() for parameter in dit.parameters()]
    with pytest.raises(InterruptedError), device_scope.module_on_device(dit, "cpu"):
        assert not {parameter.data_ptr() for parameter in dit.parameters()} & set(addresses)
        raise InterruptedError
    check_untouched(dit, before)
    assert [parameter.data_ptr() for parameter in dit.parameters()] == addresses


def test_parts_are_the_whole_model_once():
    dit = network()
    parts = partition(dit, 3)
    together = [*parts.resident, *parts.preparation, *(tensor for each in parts.streamed.values() for tensor in each)]
    assert sorted(map(id, together)) == sorted(map(id, dit.parameters()))
    assert {id(tensor) for tensor in parts.preparation} >= {id(tensor) for tensor in dit.context_refiner.parameters()}
