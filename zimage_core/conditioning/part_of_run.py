"""The part of a run in which something acts, as two percents: one rule for all that acts in some of the steps.

A step belongs to a part if it begins in it, at its start or later and before its end. A part that ends where it starts
is empty, and what acts in it is off.
"""

Percents = tuple[float, float]  # start and end, from 0 to 1

WHOLE_RUN: Percents = (0.0, 1.0)
EDGE = 1e-5  # of a noise level: rounding does not decide about a step that begins where a part begins or ends


def is_any(percents: Percents, what: str) -> bool:
    """Whether a part of the run has any length; ValueError, naming `what` acts in it, if it ends before its start."""
    start, end = percents
    if start > end:
        raise ValueError(
            f"{what} would start at {start:g} of the run and end at {end:g}, which is before it. Set start percent to "
            "at most end percent."
        )
    return start < end


def begins_in(sigma: float, sigmas: tuple[float, float]) -> bool:
    """Whether a step that begins at noise level sigma belongs to a part with these levels at its start and its end."""
    start, end = sigmas
    return end + EDGE < sigma <= start + EDGE
