"""Training edits for tests of the built-in model, drawn from a fixed seed."""

import random
from functools import cache

from zimage_core.nano.data.edits import KINDS, training_edit


@cache
def sampled(n=144):
    rng = random.Random(7)
    return tuple(training_edit(rng, KINDS[index % len(KINDS)]) for index in range(n))
