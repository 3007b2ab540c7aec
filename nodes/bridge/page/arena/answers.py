"""The page's questions about an arena: what waits, a vote, a vote taken back. An answer is all that is shown then.

A query's `kind` tells arenas from preferences, which have no contestants and so no standings.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args

from .....zimage_core.data.preferences import Preference
from .....zimage_core.evaluation.arena import Arena, Choice, Pair, Standing, standings
from .rooms import DEFAULT, FOLDERS, arena_of, view_of

Query = Mapping[str, Any]


def state(query: Query) -> dict[str, Any]:
    """{arena} -> {pair, next, waiting, votes, last, standings}: two pictures without names, and what was voted."""
    return _shown(_asked(query))


def vote(query: Query) -> dict[str, Any]:
    """{arena, pair, choice: left, right or draw} -> the state after it."""
    arena, choice = _asked(query), query["choice"]
    if choice not in get_args(Choice):
        raise ValueError(f"choice is {str(choice)[:20]!r}, not left, right or draw")
    arena.vote(str(query["pair"]), choice)
    return _shown(arena)


def undo(query: Query) -> dict[str, Any]:
    """{arena} -> the state without the last vote."""
    arena = _asked(query)
    arena.undo()
    return _shown(arena)


def table(ranking: list[Standing]) -> str:
    """The standing as lines of text, the strongest contestant first."""
    lines = [
        f"{place}. {each.contestant}: {each.rating:.0f} ({each.low:.0f} to {each.high:.0f}), {each.wins} won, "
        f"{each.draws} drawn, {each.losses} lost"
        for place, each in enumerate(ranking, 1)
    ]
    return "\n".join(lines) or "No votes yet."


def _asked(query: Query) -> Arena:
    kind = query.get("kind", DEFAULT)
    if kind not in FOLDERS:
        raise ValueError(f"kind is {str(kind)[:20]!r}, not arena or preferences")
    return arena_of(str(query["arena"]), kind)


def _shown(arena: Arena) -> dict[str, Any]:
    waiting, votes = arena.waiting(), arena.votes()
    is_arena = arena.folder.parent.name == FOLDERS[DEFAULT]
    return {
        "pair": _blind(arena, waiting[0]) if waiting else None,
        "next": _blind(arena, waiting[1]) if len(waiting) > 1 else None,  # for the page to load
        "waiting": len(waiting),
        "votes": len(votes),
        "last": _revealed(votes[-1]) if votes else None,
        "standings": [asdict(each) for each in standings(votes)] if is_arena else [],
    }


def _blind(arena: Arena, pair: Pair) -> dict[str, Any]:
    """A pair without the contestants' names."""
    sides = {side: view_of(arena, entry.picture) for side, entry in (("left", pair.left), ("right", pair.right))}
    return {"id": pair.id, "prompt": pair.prompt, **sides}


def _revealed(last: Preference) -> dict[str, Any]:
    return {"chosen": last.chosen_by, "rejected": last.rejected_by, "draw": last.draw, "side": last.side}
