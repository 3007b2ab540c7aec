"""Training the 6B on 1, 8 and 64 devices, on paper: bytes a device, bytes sent, seconds a step.

    python -m bench.devices

Weights are counted on the real shapes and operations by `runtime/flop_counts.py`; how weights are divided is
`training/distributed/sharding.py`, whose parts are counted in `tests/core/training/test_processes.py`. Rates are
assumed (`Device`), as no such machine was at hand: every second printed is an estimate.
"""

from dataclasses import dataclass

import torch
from tqdm import tqdm

from zimage_core.config import BASE_DIT
from zimage_core.model import S3DiT
from zimage_core.runtime.flop_counts import step_flops
from zimage_core.training.distributed.sharding import divided_weights

from .training_memory import plan_at

SIDE = 1024
IMAGE_TOKENS, CAPTION_TOKENS = 4096, 512  # of such a picture with the longest caption
GIB = 2**30


@dataclass(frozen=True)
class Device:
    """Assumed rates of one device of an eight-GPU node (H200), and of the network between nodes."""

    flops: float = 0.4 * 989e12  # of bfloat16: 40 % of the published peak
    inside: float = 450e9  # bytes a second to the devices of its node, one direction of NVLink
    outside: float = 50e9  # to other nodes: 400 Gbit/s a device


@dataclass(frozen=True)
class Plan:
    """One kind of training on `count` devices."""

    kind: str
    count: int
    divided: int  # parameters
    whole: int
    adapter: int  # of a LoRA

    @property
    def held(self) -> float:
        """Bytes of weights, gradients, moments and averages on each device."""
        if self.kind == "full":
            return 20 * (self.divided / self.count + self.whole)  # float32: weight, gradient, two moments, average
        return 2 * (self.divided / self.count + self.whole) + 20 * self.adapter

    @property
    def gathered(self) -> float:
        """Bytes of the blocks that are whole at one time: the running one and the next."""
        block = self.divided / (BASE_DIT.n_layers + 2 * BASE_DIT.n_refiner_layers)
        return 0.0 if self.count == 1 else 2 * block * self.bytes_a_weight

    @property
    def bytes_a_weight(self) -> int:
        """As it is stored and sent."""
        return 4 if self.kind == "full" else 2

    @property
    def sent(self) -> float:
        """Bytes each device receives in a round: weights forward and backward, and gradients back."""
        part = (self.count - 1) / self.count
        gradients = 4 * self.divided if self.kind == "full" else 2 * 4 * self.adapter
        return part * (2 * self.divided * self.bytes_a_weight + gradients)

    def seconds(self, device: Device) -> tuple[float, float]:
        """Of computing one picture forward, again for checkpointing, and backward; and of what is sent meanwhile."""
        products = 4 if self.kind == "full" else 3  # backward needs no gradients of frozen weights
        rate = device.inside if self.count <= 8 else device.outside
        return products * step_flops(BASE_DIT, IMAGE_TOKENS, CAPTION_TOKENS) / device.flops, self.sent / rate


def kept_activations() -> float:
    """Bytes of the blocks' inputs in float32, which checkpointing keeps, for one picture."""
    return 4 * (IMAGE_TOKENS + CAPTION_TOKENS) * BASE_DIT.dim * (BASE_DIT.n_layers + 2 * BASE_DIT.n_refiner_layers)


def main() -> None:
    """Print the table in Markdown."""
    dit = S3DiT(BASE_DIT, device="meta")
    divided = sum(weight.numel() for weight in divided_weights(dit))
    whole = sum(parameter.numel() for parameter in dit.parameters()) - divided
    lora = plan_at(SIDE).step  # counted on tensors without memory
    tqdm.write(f"{divided / 1e9:.3f} billion weights are divided, {whole / 1e9:.3f} billion are whole on every device;")
    kept, again = kept_activations() / GIB, lora.before / GIB
    tqdm.write(
        f"of a picture of {SIDE}x{SIDE} blocks keep {kept:.1f} GiB in float32; activations of a LoRA {again:.1f}\n"
    )
    tqdm.write("| what | devices | GiB held | GiB gathered | GB received a round | s computing | s sending |")
    tqdm.write("| --- | --- | --- | --- | --- | --- | --- |")
    for kind in ("full", "lora"):
        for count in (1, 8, 64):
            plan = Plan(kind, count, divided, whole, lora.learned // 4)
            computing, sending = plan.seconds(Device())
            held, gathered = plan.held / GIB, plan.gathered / GIB
            tqdm.write(
                f"| {kind} | {count} | {held:.1f} | {gathered:.1f} | {plan.sent / 1e9:.1f} "
                f"| {computing:.2f} | {sending:.2f} |"
            )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
