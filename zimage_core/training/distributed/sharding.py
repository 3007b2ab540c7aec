"""A transformer whose blocks are divided among processes: torch's FSDP2 (`fully_shard`), one unit per block.

Of each block the linear layers are divided, which are 97 % of the 6B's weights. What is called outside a block's own
forward stays whole in every process: norms, whose weights are folded with the modulation beforehand, the modulation
itself, the embedders. So do the refiners that run as often as an example has captions or references, since dividing
asks every process to run a block equally often.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from ...adapters import quantized_layers
from ...model import S3DiT
from ...model.block import Block

ENTRIES = ("prepare", "prepare_with_references", "network")  # by which blocks are reached


def shard(dit: S3DiT, n_processes: int, device: torch.device) -> None:
    """Divide the blocks, in place, one after the other, and move all to the device. Layers of 8 bits stay whole."""
    if not quantized_layers(dit):
        mesh = init_device_mesh(device.type, (n_processes,))
        divided = set(divided_weights(dit))
        whole = {parameter for parameter in dit.parameters() if parameter not in divided}
        for block in _divided_blocks(dit):
            fully_shard(block, mesh=mesh, ignored_params=whole)
        fully_shard(dit, mesh=mesh, ignored_params=whole)
        for name in ENTRIES:
            register_fsdp_forward_method(dit, name)
    for tensor in (*dit.parameters(), *dit.buffers()):
        if not isinstance(tensor, DTensor):  # those are on the device of their mesh
            tensor.data = tensor.data.to(device)


def divided_weights(dit: S3DiT) -> Iterator[Tensor]:
    """The matrices of the divided blocks that run in their own forward."""
    for block in _divided_blocks(dit):
        for part in (block.attention, block.feed_forward):
            yield from (layer.weight for layer in part.modules() if isinstance(layer, nn.Linear))


def _divided_blocks(dit: S3DiT) -> Iterator[Block]:
    """Those that run once per evaluation, whatever the examples have."""
    yield from dit.noise_refiner
    if dit.config.siglip_feat_dim is None:
        yield from dit.context_refiner
    yield from dit.layers
