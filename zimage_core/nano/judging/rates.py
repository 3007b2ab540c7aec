"""Rates as the tables of the judges show them."""

from ...evaluation.intervals import wilson


def rate(right: int, n: int) -> str:
    """A rate with Wilson's interval at 95 %."""
    low, high = wilson(right, n)
    return f"{right / n:.3f} ({low:.3f} to {high:.3f})"
