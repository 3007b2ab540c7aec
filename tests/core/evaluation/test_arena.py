"""An arena's folder: blind pairs in a random order of its own, votes that last, undo, nothing twice, bounds."""

import json

import pytest

from zimage_core.data.preferences import read_preferences
from zimage_core.evaluation import arena as arenas
from zimage_core.evaluation.arena import Arena, Entry


@pytest.fixture
def arena(tmp_path):
    arena = Arena(tmp_path / "here")
    (arena.folder / "pictures").mkdir(parents=True)
    return arena


def rounds(arena, first, count, names=("A", "B")):
    """Rounds with a picture for each contestant, which are put there."""

    def entry(name, number):
        file = f"pictures/{name}{number}.png"
        (arena.folder / file).touch()
        return Entry(contestant=name, picture=file, seed=number)

    return [(f"prompt {number}", [entry(name, number) for name in names]) for number in range(first, first + count)]


def vote_for(arena, name):
    """Vote for a contestant wherever it stands, or for nobody."""
    pair = arena.waiting()[0]
    sides = {pair.left.contestant: "left", pair.right.contestant: "right"}
    return arena.vote(pair.id, sides.get(name, "draw"))


def test_votes_and_standing_last_and_are_preference_pairs(arena):
    arena.add(rounds(arena, 0, 4))
    for name in ("A", "A", "B", "nobody"):
        vote_for(arena, name)
    again = Arena(arena.folder)
    assert again.waiting() == [] and again.standings() == arena.standings()
    first, second = again.standings()
    assert (first.contestant, first.wins, first.draws, first.losses) == ("A", 2, 1, 1)
    assert first.low < second.rating < first.rating < second.high and (second.wins, second.losses) == (1, 2)
    for vote in read_preferences(arena.folder / "preferences.jsonl"):
        number = vote.prompt.removeprefix("prompt ")
        assert {vote.chosen, vote.rejected} == {f"pictures/A{number}.png", f"pictures/B{number}.png"}
        assert vote.chosen == f"pictures/{vote.chosen_by}{number}.png"
        assert vote.chosen_seed == vote.rejected_seed == int(number)
        assert vote.time.endswith("+00:00")


def test_undo_brings_the_last_pair_back_on_the_same_sides(arena):
    arena.add(rounds(arena, 0, 3))
    before = arena.waiting()
    vote_for(arena, "A")
    vote = vote_for(arena, "B")
    assert arena.undo() == vote
    assert arena.waiting() == before[1:]
    arena.undo()
    assert arena.waiting() == before and arena.undo() is None and arena.standings() == []


def test_the_order_is_random_but_always_the_same_and_later_runs_come_later(arena):
    arena.add(rounds(arena, 0, 40))
    first = arena.waiting()
    arena.add(rounds(arena, 40, 2))
    assert arena.waiting()[:40] == first
    prompts = [each.prompt for each in first]
    assert prompts != sorted(prompts) and set(prompts) == {f"prompt {number}" for number in range(40)}
    lefts = [each.left.contestant for each in first]
    assert 10 < lefts.count("A") < 30
    other = Arena(arena.folder.with_name("there"))
    (other.folder / "pictures").mkdir(parents=True)
    other.add(rounds(other, 0, 40))
    assert [each.prompt for each in other.waiting()] != prompts


def test_every_two_of_a_round_meet_once_and_nothing_is_added_twice(arena):
    drawn = rounds(arena, 0, 2, "ABC")
    assert arena.add(drawn) == 2 and arena.add(drawn) == 0
    met = [frozenset((each.left.contestant, each.right.contestant, each.prompt)) for each in arena.waiting()]
    assert len(met) == len(set(met)) == 6


def test_equal_pictures_lost_ones_and_decided_pairs_are_not_to_be_voted_on(arena):
    [(prompt, (one, other))] = rounds(arena, 0, 1)
    arena.add([(prompt, [one, Entry(contestant="B", picture=one.picture)])])
    assert arena.waiting() == []
    arena.add([(prompt, [one, other])])
    [pair] = arena.waiting()
    arena.vote(pair.id, "left")
    with pytest.raises(ValueError, match="may be decided already"):
        arena.vote(pair.id, "right")
    arena.undo()
    (arena.folder / other.picture).unlink()
    assert arena.waiting() == []


def test_a_prompt_may_hold_any_line_end(arena):
    [(_, entries)] = rounds(arena, 0, 1)
    arena.add([("a star\u2028on\x85white\r\nand blue", entries)])
    assert [each.prompt for each in arena.rounds()] == ["a star\u2028on\x85white\r\nand blue"]


def test_a_full_arena_and_a_damaged_file_are_sentences(arena, monkeypatch):
    monkeypatch.setattr(arenas, "MOST_PAIRS", 3)
    arena.add(rounds(arena, 0, 3))
    with pytest.raises(ValueError, match="here is full"):
        arena.add(rounds(arena, 3, 1))
    assert len(arena.rounds()) == 3
    for line in ("{", json.dumps({"run": 1}), "[]"):
        (arena.folder / "rounds.jsonl").write_text(line)
        with pytest.raises(ValueError, match=r"rounds.jsonl, line 1 is no round of an arena"):
            arena.waiting()
