"""The processes that `torchrun` or `accelerate launch` started."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

from .processes import ONE_PROCESS, Processes

LONGEST_WAIT = timedelta(hours=1)  # for a process that has more to encode, or a slow disk


@contextmanager
def launched(device_type: str) -> Generator[Processes]:
    """The connected processes, of which this is one; a single one where no launcher started this one."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield ONE_PROCESS
        return
    import torch
    import torch.distributed as dist

    from .many import ManyProcesses

    if device_type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))  # what "cuda" means from here on
    backend = "cpu:gloo,cuda:nccl" if device_type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=LONGEST_WAIT)
    try:
        yield ManyProcesses(dist.get_rank(), count)
    finally:
        dist.destroy_process_group()
