"""Peak memory of each process that trains all weights of one transformer together.

    python -m bench.device_memory

Two optimizer steps on a small transformer, in 1, 2 and 3 processes on the CPU, connected by gloo. Counted are the bytes
that the process grew by, from after its imports to its peak before anything is saved. glibc is told to return memory at
once, as a GPU's allocator would reuse it: by default it keeps blocks of weights that FSDP2 has freed.
"""

import os
import resource
import socket
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.multiprocessing.spawn import spawn
from tqdm import tqdm

from zimage_core.config import BASE_DIT
from zimage_core.model import S3DiT
from zimage_core.training import Recipe, init_weights
from zimage_core.training.distributed import launched
from zimage_core.training.distributed.sharding import divided_weights
from zimage_core.training.encoded import EncodedExample, EncodedPicture
from zimage_core.training.flow_training import FlowMatching, TrainingSet, train_examples
from zimage_core.training.trainables import AllWeights

CONFIG = replace(BASE_DIT, dim=768, n_heads=6, ffn_dim=2048, n_layers=14, cap_feat_dim=256)
N_STEPS = 2
RECIPE = Recipe(steps=N_STEPS + 1, lr=1e-5)  # the state is written after the last
SIDE, N_WORDS = 16, 32  # latent cells, caption tokens: few, so that weights weigh most


def main() -> None:
    """Print one line for each number of processes."""
    dit = S3DiT(CONFIG, device="meta")
    n_all, n_divided = (sum(each.numel() for each in of) for of in (dit.parameters(), divided_weights(dit)))
    tqdm.write(f"{n_all / 1e6:.0f} million weights, {n_divided / 1e6:.0f} million of them divided\n")
    os.environ.update(MALLOC_MMAP_THRESHOLD_="1000000", MALLOC_TRIM_THRESHOLD_="1000000")  # read as a process starts
    tqdm.write("| processes | MB a process, of 20 bytes a weight | peak MB a process |\n| --- | --- | --- |")
    for count in (1, 2, 3):
        with TemporaryDirectory() as folder, socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            free.close()
            spawn(train, (count, port, Path(folder)), nprocs=count)
            peaks = [int(file.read_text()) / 1e6 for file in sorted(Path(folder).glob("peak-*"))]
        held = 20 * (n_divided / count + n_all - n_divided) / 1e6
        tqdm.write(f"| {count} | {held:.0f} | {', '.join(f'{peak:.0f}' for peak in peaks)} |")


def train(rank: int, count: int, port: int, folder: Path) -> None:
    """One process: two steps, and its peak into a file."""
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(count))
    with launched("cpu") as processes:
        before = peak_bytes()
        dit = S3DiT(CONFIG)
        init_weights(dit, torch.Generator().manual_seed(0))
        processes.place(dit, torch.device("cpu"))
        picture = EncodedPicture(torch.randn(16, SIDE, SIDE), torch.full((16, SIDE, SIDE), -3.0))
        words = torch.randn(N_WORDS, CONFIG.cap_feat_dim)
        dataset = TrainingSet(examples=[EncodedExample(picture, (words,))] * 6, no_caption=words)
        step_of = FlowMatching(batch=6, token_budget=200)
        steps = train_examples(dit, AllWeights(dit), dataset, step_of, RECIPE, folder, processes=processes)
        for _ in range(N_STEPS):
            next(steps)
        (folder / f"peak-{rank}").write_text(str(peak_bytes() - before))
        steps.close()


def peak_bytes() -> int:
    """The most this process has had in RAM."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
