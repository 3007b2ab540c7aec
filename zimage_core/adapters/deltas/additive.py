"""`Additive`: the weight deltas that do not depend on the weight they change."""

from .full import FullDifference
from .low_rank import LowRank
from .lycoris import LoHa, LoKr

Additive = LowRank | LoHa | LoKr | FullDifference
