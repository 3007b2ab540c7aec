"""The machine a run happens on: its words, its speed in a plain matrix product, its free memory, its clock."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tqdm import tqdm

PEAK_SIDE = {"cpu": 2048, "cuda": 8192}  # a product large enough to reach the machine's best rate
PEAK_REPEATS = 8


def describe(device: torch.device) -> str:
    """The machine in words."""
    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        return f"{found.name}, {found.total_memory / 2**30:.0f} GiB, driver CUDA {torch.version.cuda}"
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    """The CPU's own name where the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(packages: tuple[str, ...] = ("torch", "diffusers", "transformers", "comfy-kitchen", "triton")) -> str:
    """The versions that matter, of what is installed."""
    installed = {found.metadata["Name"].lower(): found.version for found in importlib.metadata.distributions()}
    return ", ".join(f"{package} {installed[package]}" for package in packages if package in installed)


def settings(device: torch.device) -> str:
    """The switches that change how products are rounded."""
    if device.type == "cpu":
        return f"float32 matmul precision {torch.get_float32_matmul_precision()}"
    backends = torch.backends.cuda.matmul
    return (
        f"TF32 {'on' if backends.allow_tf32 else 'off'}, bf16 sums "
        f"{'reduced' if backends.allow_bf16_reduced_precision_reduction else 'whole'}"
    )


def synchronise(device: torch.device) -> None:
    """Wait for the device's queue."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Wall seconds of one call, the device's queue included."""
    synchronise(device)
    start = time.perf_counter()
    run()
    synchronise(device)
    return time.perf_counter() - start


@torch.inference_mode()
def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of the machine's best plain product in this precision, measured here and now."""
    side = PEAK_SIDE.get(device.type, 2048)
    generator = torch.Generator(device).manual_seed(0)
    left, right = (torch.randn(side, side, generator=generator, device=device).to(dtype) for _ in range(2))
    rounds = tqdm(range(PEAK_REPEATS), desc=f"peak of a {dtype} product", leave=False)
    return 2 * side**3 / min(seconds(lambda: left @ right, device) for _ in rounds)


def free_bytes(device: torch.device) -> int:
    """Memory a run may still take."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    information = Path("/proc/meminfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
