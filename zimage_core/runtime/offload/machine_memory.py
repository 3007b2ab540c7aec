"""How much memory a machine has free, as PyTorch and the operating system report it."""

from pathlib import Path

import torch

from .plan_inputs import Machine, PlanError

MEMINFO = Path("/proc/meminfo")


def measure_machine(device: torch.device, limit: int) -> Machine:
    """The machine `device` belongs to, with at most `limit` bytes of that device's memory; on "cpu" that is RAM."""
    if limit <= 0:
        raise PlanError(f"a memory limit of {limit} bytes leaves nothing to run in; give a positive one, or none")
    ram = free_ram()
    match device.type:
        case "cpu":
            return Machine(kind="cpu", free_ram=min(ram, limit))
        case "cuda":
            unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # PyTorch's own cache
            free = torch.cuda.mem_get_info(device)[0] + unused
            capability = torch.cuda.get_device_capability(device)
            return Machine(kind="cuda", free_ram=ram, free_device=min(free, limit), capability=capability)
        case "xpu":
            return Machine(kind="xpu", free_ram=ram, free_device=min(torch.xpu.mem_get_info(device)[0], limit))
        case "mps":
            free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
            return Machine(kind="mps", free_ram=ram, free_device=min(free, limit))
        case other:
            raise PlanError(f"a memory limit can be kept on cuda, xpu, mps and cpu, not on {other}")


def free_ram() -> int:
    """Bytes of RAM that programs can still take without swapping: Linux's own estimate, elsewhere psutil's."""
    if MEMINFO.exists():
        for line in MEMINFO.read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        import psutil  # brought by ComfyUI and accelerate
    except ImportError as error:
        raise PlanError("a memory limit needs psutil to measure free memory here: pip install psutil") from error
    return psutil.virtual_memory().available
