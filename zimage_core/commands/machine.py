"""The device, the dtype and the 8-bit layers a command runs with, from what was typed."""

import torch

from ..quant import SCHEMES, Scheme

DEVICES = ("cpu", "cuda", "xpu", "mps")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}  # the published autoencoder overflows in float16


def device_of(name: str | None) -> torch.device:
    """A device that is there; without a name a CUDA GPU, or the CPU."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        if device.type not in DEVICES:
            raise ValueError(f"{name} is no device to run on: choose {', '.join(DEVICES)}")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # which one depends on how torch was built
        raise ValueError(f"there is no device {name} here: choose another --device") from error
    return device


def dtype_of(name: str | None, device: torch.device) -> torch.dtype:
    """What networks compute in; without a name float32 on a CPU and bfloat16 on a GPU."""
    return DTYPES[name or ("float32" if device.type == "cpu" else "bfloat16")]


def scheme_of(name: str | None) -> Scheme | None:
    """The 8-bit layers of a name."""
    return SCHEMES[name] if name else None
