"""Full float32 precision (no TF32) for reference results."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import torch


@contextmanager
def without_tf32() -> Generator[None]:
    """Disable TF32 for matmuls and convolutions; PyTorch enables it for cuDNN convolutions by default."""
    matmuls, convolutions = torch.backends.cuda.matmul, cast(Any, torch.backends.cudnn)
    before = matmuls.allow_tf32, convolutions.allow_tf32
    matmuls.allow_tf32 = convolutions.allow_tf32 = False
    try:
        yield
    finally:
        matmuls.allow_tf32, convolutions.allow_tf32 = before
