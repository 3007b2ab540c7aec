"""What changes a picture, side by side on the real server: neutral settings, every pair, and all of it at once."""

from itertools import combinations

import pytest
from PIL import Image

from feature_graphs import FEATURES, graph, is_drawn
from prompt_graphs import ksampler


def picture(run, prompt):
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    return Image.open(outcome.files[0]).convert("RGB")


def test_all_of_them_switched_off_change_no_bit(run):
    plain = picture(run, graph(()))
    assert picture(run, graph(FEATURES, is_neutral=True)).tobytes() == plain.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("pair", list(combinations(FEATURES, 2)), ids=" and ".join)
def test_every_pair_draws(run, pair):
    """Neither black nor of one colour, in either order of the nodes on the MODEL."""
    for features in (pair, pair[::-1]):
        assert is_drawn(picture(run, graph(features))), features


@pytest.mark.slow
def test_all_of_them_at_once_with_guidance_by_the_stock_sampler(run):
    assert is_drawn(picture(run, graph(FEATURES, sampler=ksampler())))
