"""Training edits sampled for nano's tests."""

import random
from functools import cache

from zimage_core.nano.data.edits import KINDS, training_edit


@cache
def sampled(n=144):
    rng = random.Random(7)
    return tuple(training_edit(rng, KINDS[index % len(KINDS)]) for index in range(n))
