"""PageRank, as the solution of a linear system by SciPy."""

import numpy as np
from numpy.typing import NDArray

from ..engine.libraries import sparse
from .graph import Edges

DAMPING = 0.85
RESTART = 30  # vectors that the solver keeps; fewer nodes are solved exactly


def page_rank(links: Edges, count: int) -> NDArray[np.float64]:
    """Of each of `count` nodes, in all 1; repeated links count as often as they are there.

    With P the links' shares (a node without any has none) and d the damping, x of (1 - d P^T) x = 1 is PageRank up to
    a factor: what nodes without links give to all alike only scales it (Del Corso, Gulli and Romani 2005).
    """
    library = sparse()
    weights = np.bincount(links[0], minlength=count).astype(np.float64)
    shares = DAMPING / weights[links[0]]
    system = library.identity(count, format="csr") - library.csr_array((shares, (links[1], links[0])), (count, count))
    found, problem = library.linalg.gmres(system, np.ones(count), rtol=1e-10, atol=0, restart=RESTART, maxiter=100)
    if problem:
        raise ValueError(f"the rank of {count} concepts was not found in {problem} steps: leave a source out")
    return np.maximum(found, 0) / np.maximum(found, 0).sum()
