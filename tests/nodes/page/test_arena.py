"""What a run adds to an arena: names, prompts and seeds of the graph, and sentences for what does not fit together."""

import importlib
from types import SimpleNamespace

import pytest
import torch

from prompt_graphs import text_to_image


@pytest.fixture
def modules(pack, tmp_path, monkeypatch):
    """contestants and rooms, with an output folder of their own."""
    folder = f"{pack.entry.__name__}.nodes.bridge.page.arena"
    contestants, rooms = (importlib.import_module(f"{folder}.{name}") for name in ("contestants", "rooms"))
    monkeypatch.setattr(rooms.folder_paths, "get_output_directory", lambda: str(tmp_path))
    return SimpleNamespace(contestants=contestants, rooms=rooms, folder=tmp_path)


def batch(*greys):
    return torch.stack([torch.full((8, 8, 3), grey) for grey in greys])


def hidden(**changes):
    """The hidden inputs of an arena behind two samplers."""
    graph = {**text_to_image("a fox", seed=7), "again": text_to_image("a fox", seed=9)["sampler"]}
    graph["other"] = {**graph["decode"], "inputs": {**graph["decode"]["inputs"], "latent": ["again", 0]}}
    graph["again"] = {**graph["again"], "inputs": {**graph["again"]["inputs"], **changes}}
    links = {"images.image0": ["decode", 0], "images.image1": ["other", 0]}
    return SimpleNamespace(unique_id="arena", prompt={**graph, "arena": {"class_type": "ZImageArena", "inputs": links}})


def add(modules, images, names="", prompt="", known=None, arena="one"):
    room = modules.rooms.arena_of(arena)
    images = dict(zip(("image0", "image1", "image2"), images, strict=False))
    return room, modules.contestants.add_pictures(room, images, names, prompt, known)


def test_pictures_are_stored_with_the_samplers_prompt_and_each_contestants_seed(modules):
    room, stored = add(modules, [batch(0.1, 0.2), batch(0.3, 0.4)], "one\n", known=hidden())
    assert stored == [each.picture for round in room.rounds() for each in round.entries] and len(stored) == 4
    assert room.folder == modules.folder / "zimage_arena" / "one"
    for round in room.rounds():
        assert round.prompt == "a fox"
        assert [(each.contestant, each.seed) for each in round.entries] == [("one", 7), ("B", 9)]
    assert len(list((room.folder / "pictures").iterdir())) == 4


def test_with_a_seed_for_each_picture_the_second_has_the_next_one(modules):
    room, _ = add(modules, [batch(0.1, 0.2), batch(0.3, 0.4)], known=hidden(seed_per_picture=True))
    assert [[each.seed for each in round.entries] for round in room.rounds()] == [[7, 9], [7, 10]]


def test_different_prompts_are_refused_unless_one_is_given(modules):
    known = hidden()
    known.prompt["positive2"] = {
        **known.prompt["positive"],
        "inputs": {**known.prompt["positive"]["inputs"], "prompt": "a cat"},
    }
    known.prompt["again"]["inputs"]["positive"] = ["positive2", 0]
    with pytest.raises(ValueError, match="A: 'a fox'. B: 'a cat'. Write into prompt"):
        add(modules, [batch(0.1), batch(0.2)], known=known)
    room, _ = add(modules, [batch(0.1), batch(0.2)], prompt="an animal", known=known)
    assert [each.prompt for each in room.rounds()] == ["an animal"]


def test_pictures_of_one_prompt_are_compared_each_with_each_other(modules):
    known = hidden()
    known.prompt["arena"]["inputs"] = {"images": ["decode", 0], "other_images": ["other", 0]}
    room = modules.rooms.arena_of("taste", "preferences")
    images = {"images": batch(0.1, 0.2), "other_images": torch.full((1, 16, 8, 3), 0.3)}
    stored = modules.contestants.add_alternatives(room, images, "", known)
    assert room.folder == modules.folder / "zimage_preferences" / "taste" and len(stored) == 3
    assert len(room.waiting()) == 3
    [round] = room.rounds()
    assert (round.prompt, [each.seed for each in round.entries]) == ("a fox", [7, 7, 9])
    with pytest.raises(ValueError, match="one picture, but two are needed"):
        modules.contestants.add_alternatives(room, {"images": batch(0.1), "other_images": None}, "", None)


@pytest.mark.parametrize(
    ("images", "names", "words"),
    [
        ([batch(0.1)], "", "here is 1"),
        ([batch(0.1, 0.2), batch(0.3)], "", "have 2 and 1 pictures"),
        ([batch(0.1), batch(0.3)], "a\nb\nc", "3 names for 2 contestants"),
        ([batch(0.1), batch(0.3)], "B", "have one name"),
        ([batch(0.1), torch.zeros(0, 8, 8, 3)], "", "There is no picture"),
    ],
)
def test_what_does_not_fit_together_is_a_sentence(modules, images, names, words):
    with pytest.raises(ValueError, match=words):
        add(modules, images, names)
    assert not (modules.folder / "zimage_arena").exists()


@pytest.mark.parametrize("name", ["", "  ", "../up", "a/b", "a\\b", ".", "..", ".hidden", "x" * 61, "con", "a:b", "\0"])
def test_a_name_that_is_no_folder_is_refused(modules, name):
    with pytest.raises(ValueError, match="cannot be a folder's name"):
        modules.rooms.arena_of(name)


def test_names_in_any_language_are_folders_and_a_vote_changes_their_state(modules):
    room, _ = add(modules, [batch(0.1), batch(0.2)], arena=" 底模 or turbo ")
    assert room.folder.name == "底模 or turbo"
    before = modules.rooms.votes_state(room.folder.name)
    room.vote(room.waiting()[0].id, "draw")
    assert modules.rooms.votes_state(room.folder.name) != before
