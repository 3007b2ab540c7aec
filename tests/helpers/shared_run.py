"""A tiny transformer trained in one process, or in several that are started here."""

import multiprocessing
import os
import socket
import sys

import shared_roles
import torch
from safetensors.torch import save_file

import tiny
from zimage_core.training import Recipe
from zimage_core.training.distributed import launched
from zimage_core.training.encoded import EncodedExample, EncodedPicture
from zimage_core.training.flow_training import FlowMatching, TrainingSet, train_examples
from zimage_core.training.trainables import AllWeights, LoraTrainable

RECIPE = Recipe(steps=6, lr=1e-3, warmup_steps=2, save_every=2)
STEP = FlowMatching(batch=5, token_budget=200)


def examples():
    """Pictures of two shapes, captions of two lengths: groups that no number of processes divides evenly."""
    generator = torch.Generator().manual_seed(7)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator)

    sizes = [(8, 8), (8, 12), (8, 8), (12, 8), (8, 8), (8, 8), (8, 12)]
    pictures = [EncodedPicture(drawn(16, *size), torch.full((16, *size), -3.0)) for size in sizes]
    encoded = [EncodedExample(picture, (drawn(9 + 30 * (n % 2), 48),)) for n, picture in enumerate(pictures)]
    return TrainingSet(examples=encoded[:6], no_caption=drawn(5, 48)), encoded[6:]


def run(kind, folder, n_steps, processes):
    """Train `n_steps` of the recipe's steps; returns the trained weights, whole, and the bytes held."""
    dit = tiny.dit()
    processes.place(dit, torch.device("cpu"))
    if kind == "full":
        trainable = AllWeights(dit)
    else:
        trainable = LoraTrainable(dit, rank=4, alpha=4.0, generator=torch.Generator().manual_seed(0))
    dataset, validated = examples()
    steps = train_examples(dit, trainable, dataset, STEP, RECIPE, folder, validated=validated, processes=processes)
    for progress in steps:
        if progress.step + 1 == n_steps:
            break
    steps.close()
    held = sum(processes.local(each).numel() for each in dit.parameters())
    state = (dit if kind == "full" else trainable).state_dict()
    return {name: processes.whole(each) for name, each in state.items()}, held


def run_in(n_processes, kind, folder, n_steps=0):
    """`run` in several processes; the first writes what was learned, each how many numbers it holds, into `folder`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["shared_run"])  # PyTorch is imported once
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # where the server looks, which ignores sys.path until 3.13
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = range(n_processes)
    started = [
        context.Process(target=_run_one, args=(rank, n_processes, port, kind, folder, n_steps)) for rank in ranks
    ]
    for each in started:
        each.start()
    for each in started:
        each.join(600)
    assert [each.exitcode for each in started] == [0] * n_processes


def _run_one(rank, count, port, kind, folder, n_steps):
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(count))
    with launched("cpu") as processes:
        if kind == "roles":
            shared_roles.run_all(folder, processes)
            return
        trained, held = run(kind, folder, n_steps, processes)
        (folder / f"held-{rank}").write_text(str(held))
        if processes.is_first:
            save_file(trained, folder / "trained.safetensors")
