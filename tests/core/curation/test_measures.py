"""The profile's measures against closed forms."""

import io
import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from zimage_core.curation.profiling.detail import copy_quality, detail
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


def waves(colour, least=1, side=256, period=64):
    """Lines from grey towards another colour: a square wave of as many harmonics as pixels can hold."""
    odd = np.arange(least, period // 2, 2)
    line = (np.sin(2 * np.pi * np.outer(np.arange(side), odd) / period) / odd).sum(1)
    return np.broadcast_to(128 + line[None, :, None] * (np.array(colour) - 128.0), (side, side, 3))


def test_detail_is_the_share_of_the_spectrum_that_edges_fill():
    """The gradients of a square wave are equally strong in each of its 16 harmonics: 0.9 of them end with the 15th."""
    for colour in ((250, 250, 250), (140, 140, 140), (180, 101, 128)):  # the last is as bright as its ground
        assert detail(waves(colour)) == pytest.approx(29 / 32, abs=0.03)
    assert detail(waves((250, 250, 250), least=31)) == pytest.approx(31 / 32, abs=0.02)
    hill = np.exp(-(np.add.outer(np.linspace(-2, 2, 128) ** 2, np.linspace(-2, 2, 128) ** 2)))
    smooth = np.stack([90 + 30 * hill, 120 - 20 * hill, 150 + 40 * hill], -1)
    assert detail(np.rint(smooth)) < 0.05 and detail(np.full((1, 1, 3), 7.0)) == 0
    edge = Image.new("RGB", (192, 192), "white")
    edge.paste("black", (0, 0, 90, 192))
    blurred = edge.rotate(20, Image.Resampling.BICUBIC).crop((40, 40, 152, 152)).filter(ImageFilter.GaussianBlur(3))
    # their power is exp(-(pi f s)²) of what it was at a share f of the finest frequency: 0.9 of it ends at 0.37 / s
    assert detail(np.asarray(blurred, float)) == pytest.approx(0.37 / 3, abs=0.02)


@pytest.mark.parametrize("kernel", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
def test_the_original_is_better_than_a_copy_enlarged_twice_and_than_one_reduced(kernel):
    def quality(picture):
        return copy_quality(picture.width * picture.height / 1e6, 1.0, detail(np.asarray(picture, float)))

    levels = np.random.default_rng(0).normal(size=(200, 200))
    spectrum = np.fft.fft2(levels) / np.maximum(np.hypot(*np.meshgrid(*[np.fft.fftfreq(200)] * 2)), 1 / 200)
    natural = np.real(np.fft.ifft2(spectrum))  # as photographs: amplitudes fall as 1 / f
    original = Image.fromarray((128 + 40 * natural / natural.std()).clip(0, 255).astype(np.uint8)).convert("RGB")
    original = original.filter(ImageFilter.GaussianBlur(0.5))  # as a lens does
    larger, smaller = (original.resize((side, side), kernel) for side in (400, 100))
    assert quality(larger) < 0.9 * quality(original) and quality(smaller) < 0.3 * quality(original)


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
