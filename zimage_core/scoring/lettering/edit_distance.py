"""Levenshtein's distance: the fewest letters to insert, delete or replace that make one text the other."""


def edit_distance(one: str, other: str) -> int:
    """Between 0 (equal) and the longer text's length; needs memory for one row of the shorter text."""
    if len(one) < len(other):
        one, other = other, one
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, wanted in enumerate(other, 1):
            replaced = above[column - 1] + (letter != wanted)
            current.append(min(above[column] + 1, current[-1] + 1, replaced))
        above = current
    return above[-1]


def similarity(one: str, other: str) -> float:
    """1 - distance / (the longer length + 1e-5), the form in which CVTG-2K normalizes it; two empty texts give 1."""
    return 1 - edit_distance(one, other) / (max(len(one), len(other)) + 1e-5)
