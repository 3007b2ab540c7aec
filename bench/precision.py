"""Float32 without TF32, for results that others are compared with."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch


@contextmanager
def without_tf32() -> Generator[None]:
    """Matmuls and convolutions keep float32; by default PyTorch lets cuDNN's convolutions use TF32."""
    matmuls, convolutions = torch.backends.cuda.matmul, cast(Any, torch.backends.cudnn)
    before = matmuls.allow_tf32, convolutions.allow_tf32
    matmuls.allow_tf32 = convolutions.allow_tf32 = False
    try:
        yield
    finally:
        matmuls.allow_tf32, convolutions.allow_tf32 = before
