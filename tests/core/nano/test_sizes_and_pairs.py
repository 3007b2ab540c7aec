"""Pictures of many sizes and of two objects: what is drawn, what is said of it, and what the checkers read."""

import random
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from zimage_core.checkpoints import load_vae
from zimage_core.nano.data.render import ground, render, render_composition
from zimage_core.nano.data.scenes import Composition, SceneObject, training_scenes
from zimage_core.nano.data.sizes import OTHER_SIZES, RATIOS, TRAINED_SIZES
from zimage_core.nano.data.two_objects import (
    RELATIONS,
    Pair,
    any_pair,
    held_out_pair_caption,
    held_out_pairs,
    plain_pair_caption,
    stated_of,
    training_pair_caption,
    training_pairs,
)
from zimage_core.nano.files import FOLDER
from zimage_core.nano.judging import judge_sizes
from zimage_core.nano.judging.checker import check
from zimage_core.nano.judging.judge_pairs import check_pair
from zimage_core.nano.judging.judge_pairs import report as report_pairs
from zimage_core.nano.stages import sizes
from zimage_core.nano.stages.by_recipe import stages_of_recipe

PAIR = Pair(
    one=SceneObject(shape="circle", colour="red", size="small", row="top", column="left"),
    other=SceneObject(shape="star", colour="blue", size="large", row="top", column="right"),
    relation="left",
    ground="checks",
)


def draw(pair, seed=1, size=(64, 64)):
    return render_composition(pair.composition, (seed, seed + 1), size)


def test_a_picture_twice_as_large_shows_the_same_object_twice_as_large():
    scenes = [scene for scene in training_scenes() if scene.ground == "grey"][::60]
    for scene in scenes:
        large = render(scene, 3, (128, 128)).resize((64, 64), Image.Resampling.BOX)
        assert np.abs(np.asarray(large, int) - np.asarray(render(scene, 3), int)).mean() < 1


@pytest.mark.parametrize("name", ["stripes", "checks"])
def test_patterns_keep_their_grain_at_every_size(name):
    assert np.array_equal(np.asarray(ground(name, (128, 96)))[:64, :64], np.asarray(ground(name)))


def test_there_are_five_aspect_ratios_of_whole_patches():
    for ratio, some in RATIOS.items():
        across, down = map(int, ratio.split(":"))
        assert {min(width / height, height / width) for width, height in some} == {down / across}
    assert len(RATIOS) == 5 and not set(OTHER_SIZES) & set(TRAINED_SIZES)
    assert all(side % 16 == 0 and 64 <= side <= 128 for size in (*TRAINED_SIZES, *OTHER_SIZES) for side in size)


@pytest.mark.parametrize("size", [(128, 64), (64, 128), (112, 80), (128, 128)])
def test_the_checker_reads_real_pictures_of_every_size(size):
    scenes = random.Random(2).sample(training_scenes(), 12)
    for seed, scene in enumerate(scenes):
        score = check(render(scene, seed, size), scene)
        assert score.shape and score.colour and score.size and score.position and score.ground


def test_a_pair_told_from_the_other_side_is_the_same_picture_and_held_out_with_it():
    rng = random.Random(1)
    pairs = [any_pair(rng) for _ in range(400)]
    assert all(pair.is_held_out == pair.turned.is_held_out and pair.turned.turned == pair for pair in pairs)
    assert 0.06 < np.mean([pair.is_held_out for pair in pairs]) < 0.2
    assert all(set(pair.turned.composition.objects) == set(pair.composition.objects) for pair in pairs)
    assert {pair.relation for pair in pairs} == set(RELATIONS)


def test_training_shows_no_pair_that_is_judged():
    trained = list(islice(training_pairs(random.Random(2)), 300))
    assert not any(pair.is_held_out or pair.composition.shows_held_out_scene for pair in trained)
    judged = held_out_pairs(48)
    assert all(pair.is_held_out for pair in judged) and len(set(judged)) == 48


def test_captions_name_both_objects_and_how_they_stand():
    assert plain_pair_caption(PAIR, "en") == "a red circle to the left of a blue star on a chessboard"
    assert plain_pair_caption(PAIR, "zh") == "棋盘背景上，红色圆形在蓝色星星的左边"
    assert "right of" in plain_pair_caption(PAIR.turned, "en")
    rng = random.Random(3)
    said = {held_out_pair_caption(PAIR, language, rng) for language in ("en", "zh") for _ in range(20)}
    told = {training_pair_caption(PAIR, rng)[0] for _ in range(300)}
    assert not said & told


def test_what_a_caption_states_is_told_in_the_order_of_its_words():
    first = stated_of("a {one} {relation} a {other}", PAIR)
    assert first == {
        **{"shape": "circle", "colour": "red", "column": "left"},
        **{"second shape": "star", "second colour": "blue", "second column": "right"},
    }
    later = stated_of("{other}的{relation}有一个{one}，{ground}", PAIR)
    assert (later["shape"], later["column"], later["second colour"]) == ("star", "right", "red")
    assert stated_of("a {shape} {relation} a {other_shape}", PAIR).keys().isdisjoint({"colour", "ground"})


def test_the_checker_notices_each_thing_that_can_be_wrong_with_two_objects():
    swapped = Pair(
        one=SceneObject(**{**vars(PAIR.one), "column": "right"}),
        other=SceneObject(**{**vars(PAIR.other), "column": "left"}),
        relation="right",
        ground="checks",
    )
    recoloured = Pair(**{**vars(PAIR), "one": SceneObject(**{**vars(PAIR.one), "colour": "green"}), "ground": "white"})
    alone = render_composition(Composition(ground="checks", objects=(PAIR.one,)), (1,))

    def wrong(picture):
        return {name for name, right in vars(check_pair(picture, PAIR)).items() if not right}

    for size in ((64, 64), (128, 64), (96, 128)):
        assert wrong(draw(PAIR, size=size)) == set()
        assert wrong(draw(swapped, size=size)) == {"relation"}
    assert wrong(draw(recoloured)) == {"colours", "ground"}
    assert wrong(alone) == {"shapes", "colours", "relation", "nothing_else"}


def test_both_tables_are_markdown_and_an_artist_who_knows_the_answers_scores_one(monkeypatch):
    monkeypatch.setattr(judge_sizes, "TRAINED_SIZES", ((64, 64), (96, 64)))
    pairs, scenes = held_out_pairs(2), random.Random(4).sample(training_scenes(), 2)
    answers = {plain_pair_caption(pair, language): pair for pair in pairs for language in ("en", "zh")}

    def perfect(words, seed, size):
        return [draw(answers.get(each, pairs[0]), seed, size) for each in words]

    lines = list(report_pairs(perfect, list, pairs))
    assert len({line.count("|") for line in lines}) == 1
    assert next(line for line in lines if line.startswith("| zh |")).count("1.000") >= 6
    nothing = list(judge_sizes.report(lambda words, seed, size: [ground("grey", size)] * len(words), list, scenes))
    assert len({line.count("|") for line in nothing}) == 1 and len(nothing) == 3 + 2 + len(OTHER_SIZES)
    assert all(line.endswith("| 1.000 (0.342 to 1.000) |") for line in nothing[2:-1])


def test_recipes_name_sets_that_are_drawn():
    known = {"nano:all-scenes", "nano:all-edits", "nano:edits-of-latents", "nano:combinations"}
    for name in ("sizes", "pairs"):
        [stage] = stages_of_recipe(name)
        assert {str(each.folder) for each in stage.config.sources} <= known | {
            "nano:scenes-of-sizes",
            "nano:pairs-of-sizes",
        }


def test_every_size_gives_as_many_latents_of_its_shape_and_they_are_cached(tmp_path, monkeypatch):
    """A cell is eight pixels, and a picture all grey has the same latent wherever it is cut."""
    some = ((64, 64), (96, 64), (64, 80))
    for name, value in {"PER_SIZE": 2, "BATCH": 2, "TRAINED_SIZES": some}.items():
        monkeypatch.setattr(sizes, name, value)
    vae, file = load_vae(FOLDER / "vae", torch.float32), tmp_path / "latents.safetensors"
    latents = sizes.latents_of_sizes(vae, file, lambda index, size: ground("grey", size))
    assert [(8 * each.shape[-1], 8 * each.shape[-2]) for each in latents[::2]] == list(some)
    assert len(latents) == 2 * len(some)
    assert all(torch.equal(*pair) for pair in zip(latents[::2], latents[1::2], strict=True))
    again = sizes.latents_of_sizes(vae, file, lambda index, size: pytest.fail("a picture was drawn again"))
    assert all(torch.equal(*pair) for pair in zip(latents, again, strict=True))
