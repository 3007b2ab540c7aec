"""How often each picture should be seen: clusters of likeness weighed against one another, rare captions up."""

from .balance import BalanceParameters, balance
from .manifest import write_manifest
from .weights import cluster_weights, draw, rarity_factors

__all__ = ["BalanceParameters", "balance", "cluster_weights", "draw", "rarity_factors", "write_manifest"]
