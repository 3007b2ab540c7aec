"""The profile's measures against closed forms."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from zimage_core.curation.profiling.identity import hash_distance, perceptual_hash
from zimage_core.curation.profiling.information import border_variance, compression_ratio, entropy
from zimage_core.curation.profiling.opened import encoding_quality
from zimage_core.curation.profiling.technical import blocking, dark_share, frame_share, light_share
from zimage_core.curation.profiling.thresholds import propose


def test_entropy_of_equal_shares_is_the_logarithm_of_their_number():
    for levels in (1, 2, 16, 256):
        assert entropy([7] * levels + [0] * (256 - levels)) == pytest.approx(math.log2(levels))
    assert entropy([1, 3]) == pytest.approx(2 - 0.75 * math.log2(3))


def test_compression_ratio_is_bytes_over_bytes():
    assert compression_ratio(Image.new("RGB", (40, 30)), 900) == 4


def test_border_variance_looks_at_the_border_alone():
    levels = np.full((100, 200, 3), 80, np.uint8)
    levels[10:90, 10:190] = np.random.default_rng(0).integers(0, 256, (80, 180, 3))
    assert border_variance(levels) == 0
    levels[:, :100] += 20  # half of the border differs by 20 levels from the other half
    assert border_variance(levels) == pytest.approx(100)


def test_blocks_of_eight_are_seen_and_blocks_of_seven_are_not():
    levels = np.random.default_rng(0).integers(0, 256, (16, 16)).astype(float)
    assert blocking(np.kron(levels, np.ones((8, 8)))) > 100
    assert blocking(np.kron(levels, np.ones((7, 7)))) < 1
    assert blocking(np.random.default_rng(0).normal(128, 20, (128, 128))) < 0.05


def test_frames_and_exposure_are_shares_of_the_picture():
    picture = np.random.default_rng(0).uniform(100, 200, (60, 100))
    assert frame_share(picture) == 0
    picture[:15], picture[:, 80:] = 0, 255  # the bar at the right runs through the one at the top
    picture[:15, 80:] = 0
    assert frame_share(picture) == pytest.approx(1 - 45 * 80 / 6000)
    assert (dark_share(picture), light_share(picture)) == pytest.approx((15 / 60, 45 * 20 / 6000))
    assert frame_share(np.full((9, 9), 3.0)) == 1


@pytest.mark.parametrize("quality", [20, 50, 75, 90])
def test_the_quality_of_a_jpeg_is_read_from_its_table(quality):
    stored = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stored, "JPEG", quality=quality)
    assert encoding_quality(Image.open(stored)) == pytest.approx(quality / 100, abs=0.01)
    stored.seek(0)
    Image.open(stored).save(kept := io.BytesIO(), "PNG")
    assert encoding_quality(Image.open(kept)) == 1


def test_a_perceptual_hash_survives_recompression_and_tells_motifs_apart():
    noise = np.random.default_rng(0).integers(0, 256, (2, 12, 12), dtype=np.uint8)
    one, other = (Image.fromarray(each).resize((96, 96), Image.Resampling.BICUBIC).convert("RGB") for each in noise)
    one.resize((160, 120)).save(stored := io.BytesIO(), "JPEG", quality=40)
    assert hash_distance(perceptual_hash(one), perceptual_hash(Image.open(stored))) <= 6
    assert hash_distance(perceptual_hash(one), perceptual_hash(other)) > 20


def test_a_threshold_is_tukeys_fence_and_is_silent_where_nothing_is_far_away():
    values = np.concatenate([np.linspace(1, 2, 99), [50.0]])
    found = propose("noise", values, "high")
    assert (found.count, found.of) == (1, 100) and 2 < found.limit < 50
    assert propose("noise", values, "low") is None
    assert propose("noise", values[:99], "high") is None
    assert propose("noise", np.repeat([1.0, 9.0], [80, 20]), "high") is None  # a kind of picture, not a fault
    spread = np.exp(np.linspace(0, 3, 95))
    found = propose("sharpness", np.concatenate([spread, np.zeros(5)]), "low")  # even surfaces, and nothing else
    assert (found.count, found.limit) == (5, 0.5)
