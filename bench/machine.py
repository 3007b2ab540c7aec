"""The machine: description, software versions, peak GEMM throughput, free memory, and a synchronized timer."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from tqdm import tqdm

PEAK_SIDE = {"cpu": 2048, "cuda": 8192}  # a GEMM large enough to reach peak throughput
PEAK_REPEATS = 8


def describe(device: torch.device) -> str:
    """Human-readable description of the CPU or GPU."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, driver CUDA {torch.version.cuda}"
    return f"{_cpu_name()}, {torch.get_num_threads()} threads"


def _cpu_name() -> str:
    """The CPU's model name if the system reports it."""
    info_file = Path("/proc/cpuinfo")
    if info_file.exists():
        for line in info_file.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions(packages: tuple[str, ...] = ("torch", "diffusers", "transformers", "comfy-kitchen", "triton")) -> str:
    """Versions of the installed packages among `packages`; of one that is there twice, the version an import finds."""
    found: list[str] = []
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    return ", ".join(found)


def precision_settings(device: torch.device) -> str:
    """The settings that affect GEMM precision."""
    if device.type == "cpu":
        return f"float32 matmul precision {torch.get_float32_matmul_precision()}"
    backends = torch.backends.cuda.matmul
    return (
        f"TF32 {'on' if backends.allow_tf32 else 'off'}, bf16 sums "
        f"{'reduced' if backends.allow_bf16_reduced_precision_reduction else 'whole'}"
    )


def synchronize(device: torch.device) -> None:
    """Wait until all queued work on the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Wall-clock seconds of one call, synchronized before and after."""
    synchronize(device)
    start = time.perf_counter()
    run()
    synchronize(device)
    return time.perf_counter() - start


@torch.inference_mode()
def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Peak GEMM throughput in FLOP/s in this precision, measured now."""
    side = PEAK_SIDE.get(device.type, 2048)
    generator = torch.Generator(device).manual_seed(0)
    left, right = (torch.randn(side, side, generator=generator, device=device).to(dtype) for _ in range(2))
    rounds = tqdm(range(PEAK_REPEATS), desc=f"peak of a {dtype} product", leave=False)
    return 2 * side**3 / min(seconds(lambda: left @ right, device) for _ in rounds)


def free_bytes(device: torch.device) -> int:
    """Free GPU memory, or available RAM."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    info_file = Path("/proc/meminfo")
    if info_file.exists():
        for line in info_file.read_text().splitlines():
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
