"""`python compiled_run.py graphs|steps FOLDER`: compiled blocks beside plain ones, told as JSON.

In a process of its own, as the compiler cannot follow the checks of shapes that tests wrap functions in.
"""

import json
import sys
from itertools import islice
from pathlib import Path

import torch

import tiny
from zimage_core.model import Reference
from zimage_core.quant import SCHEMES, quantize_layers
from zimage_core.training import Recipe
from zimage_core.training.encoded import EncodedExample, EncodedPicture
from zimage_core.training.encoded_example import Seen
from zimage_core.training.flow_training import FlowMatching, TrainingSet, train_examples
from zimage_core.training.loop.micro_batches import Noised
from zimage_core.training.objectives import compiled_blocks
from zimage_core.training.objectives.noised import losses_of
from zimage_core.training.trainables import AllWeights, LoraTrainable

SIZES = [(2, 8, 8, 20), (3, 8, 12, 20), (2, 16, 8, 40), (5, 12, 12, 70)]  # examples, height, width, words


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)))


def group(n, height, width, words, sees):
    """Examples of one shape; those of edits see a picture of half their height."""
    latent, text = (16, height, width), drawn(words, 48)
    reference = Reference(drawn(16, height // 2, width, seed=1), None)
    seen = Seen((reference,), (drawn(4, 48),), drawn(3, 48), text) if sees else None
    each = [(drawn(*latent, seed=10 * n), drawn(*latent, seed=10 * n + 5)) for n in range(n)]
    return [Noised(x0, noise, torch.tensor(0.2 + 0.1 * k), text, seen) for k, (x0, noise) in enumerate(each)]


def gradients(dit, trainable, examples, run):
    """The loss, and all gradients as one vector."""
    trainable.zero_grad()
    with trainable.attached():
        loss = losses_of(dit, examples, run=run)[0].mean()
        loss.backward()
    return loss.item(), torch.cat([each.grad.flatten() for each in trainable.parameters() if each.grad is not None])


def graphs(kind, backend):
    """How many graphs there are after each size, and how far the gradients are from those of plain blocks."""
    torch._dynamo.reset()
    compiled = []

    def count(module, inputs):
        compiled.append(len(module.graph.nodes))
        return torch._dynamo.lookup_backend(backend)(module, inputs)

    block = torch.compile(compiled_blocks._block, backend=count)
    compiled_blocks._compiled = lambda: block
    dit = tiny.dit()
    if kind == "int8":
        quantize_layers(dit, SCHEMES["int8"])
    whole = kind in ("full", "edits")
    trainable = AllWeights(dit) if whole else LoraTrainable(dit, rank=3, alpha=3.0, generator=torch.Generator())
    counts, distances = [], []
    for size in SIZES:
        examples = group(*size, sees=kind == "edits")
        loss, found = gradients(dit, trainable, examples, FlowMatching(compiles=True, saves_memory=not whole).run)
        wanted, expected = gradients(dit, trainable, examples, FlowMatching(saves_memory=False).run)
        counts.append(len(compiled))
        distances.append(max(abs(loss / wanted - 1), ((found - expected).norm() / expected.norm()).item()))
    return {"graphs": counts, "distances": distances}


def steps(folder):
    """Losses of a run, of one that was stopped, and of one that is not compiled."""
    pictures = [EncodedPicture(drawn(16, 8, width, seed=width), torch.full((16, 8, width), -3.0)) for width in (8, 12)]
    examples = [EncodedExample(each, (drawn(9, 48), drawn(40, 48))) for each in pictures]
    dataset, recipe = TrainingSet(examples=examples, no_caption=drawn(5, 48)), Recipe(steps=20, lr=1e-3, warmup_steps=2)

    def losses(name, step_of, n=None):
        dit = tiny.dit()
        run = train_examples(dit, AllWeights(dit), dataset, step_of, recipe, folder / name)
        found = [each.loss for each in islice(run, n)]
        run.close()
        return found

    compiled, plain = FlowMatching(batch=4, compiles=True), FlowMatching(batch=4)
    parts = losses("parts", compiled, 7) + losses("parts", compiled)
    return {"whole": losses("whole", compiled), "parts": parts, "plain": losses("plain", plain)}


if __name__ == "__main__":
    torch.set_num_threads(1)
    what, argument = sys.argv[1:]
    sys.stdout.write(json.dumps(steps(Path(argument)) if what == "steps" else graphs(what, argument)))
