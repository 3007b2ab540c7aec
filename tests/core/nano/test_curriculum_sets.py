"""The sets of the report's stages: wide pictures are the renderer's, captions are of every kind, pairs are pairs."""

import numpy as np
from PIL import Image

from zimage_core.data import read_dataset
from zimage_core.nano.data.curriculum_sets import N_EDITS, N_SIZES, PICTURE_SIZES, write_edits, write_sizes
from zimage_core.nano.data.render import render
from zimage_core.nano.data.scenes import training_scenes


def test_wide_pictures_show_at_their_middle_what_square_ones_show_there():
    """Cut to a square around an object in the middle, a wide picture is the renderer's own."""
    scenes = [scene for scene in training_scenes() if scene.position == ("middle", "middle") and scene.ground == "grey"]
    for scene in scenes[::9]:
        wide = render(scene, 3, (112, 64)).crop((24, 0, 88, 64))
        assert np.abs(np.asarray(wide, int) - np.asarray(render(scene, 3), int)).mean() < 3


def test_the_sets_of_a_curriculum_have_sizes_kinds_of_captions_and_pairs(tmp_path):
    write_sizes(tmp_path / "sizes")
    examples = read_dataset(tmp_path / "sizes").examples
    assert len(examples) == N_SIZES and {Image.open(each.picture).size for each in examples} == set(PICTURE_SIZES)
    assert all(len(set(each.captions)) >= 8 for each in examples)
    write_edits(tmp_path / "edits")
    pairs = read_dataset(tmp_path / "edits").examples
    assert len(pairs) == N_EDITS and all(len(each.references) == 1 and len(each.captions) == 4 for each in pairs)
    for each in pairs:
        assert [any("\u4e00" <= letter <= "\u9fff" for letter in words) for words in each.captions] == [False, True] * 2
