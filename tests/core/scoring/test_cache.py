"""What was measured once: keys, order, half-written lines; with a score that counts what it is given."""

from pathlib import Path

from PIL import Image

from zimage_core.scoring.cache import CachedScore
from zimage_core.scoring.score import Measurement, Request, Score


class Brightness:
    name, reader, higher_is_better = "brightness", "first pixel", True

    def __init__(self) -> None:
        self.measured = 0

    def __call__(self, pictures, requests):
        self.measured += len(pictures)
        return [
            Measurement.missing("nothing asked") if not request.prompt else measured(picture)
            for picture, request in zip(pictures, requests, strict=True)
        ]


def measured(picture: Image.Image) -> Measurement:
    return Measurement(value=picture.getpixel((0, 0))[0] / 255, parts={"pixels": 1}, notes="grüße 好")


PICTURES = [Image.new("RGB", (4, 4), (level, 0, 0)) for level in (10, 20, 30)]
REQUESTS = [Request(prompt="a", rules={"parents": {2: (1,)}})] * 3


def test_a_number_is_measured_once_for_all_processes_and_any_order(tmp_path):
    first, file = Brightness(), tmp_path / "scores.jsonl"
    cached = CachedScore(first, file)
    assert isinstance(cached, Score)
    expected = first(PICTURES, REQUESTS)
    assert cached([*PICTURES, PICTURES[0]], [*REQUESTS, REQUESTS[0]]) == [*expected, expected[0]]
    assert first.measured == 3 + 3
    second = Brightness()
    assert CachedScore(second, file)(PICTURES[::-1], REQUESTS) == expected[::-1]
    assert second.measured == 0


def test_pictures_requests_titles_and_settings_are_told_apart(tmp_path):
    score, file = Brightness(), tmp_path / "scores.jsonl"
    CachedScore(score, file)(PICTURES[:1], REQUESTS[:1])
    others = [
        Request(prompt="b"),
        Request(prompt="a", language="zh"),
        Request(prompt="a", rules={"parents": {2: (3,)}}),
    ]
    CachedScore(score, file)(PICTURES[:1] * 3, others)
    CachedScore(score, file, setting="another instruction")(PICTURES[:1], REQUESTS[:1])
    score.name = "another name"
    CachedScore(score, file)(PICTURES[:1], REQUESTS[:1])
    CachedScore(score, file)([PICTURES[0].resize((2, 8))], REQUESTS[:1])
    assert score.measured == 1 + 3 + 1 + 1 + 1


def test_what_is_missing_is_tried_again_and_a_torn_line_costs_one_number(tmp_path):
    score, file = Brightness(), tmp_path / "scores.jsonl"
    cached = CachedScore(score, file)
    assert cached(PICTURES[:1], [Request()])[0].value is None
    cached(PICTURES[:1], [Request()])
    assert score.measured == 2 and not file.exists()
    cached(PICTURES[:2], REQUESTS[:2])
    torn(file)
    again = Brightness()
    CachedScore(again, file)(PICTURES, REQUESTS)
    assert again.measured == 2  # the torn one and the third
    last = Brightness()
    CachedScore(last, file)(PICTURES, REQUESTS)
    assert last.measured == 0


def torn(file: Path) -> None:
    """As a process leaves it that is killed in the middle of its last line."""
    file.write_bytes(file.read_bytes()[:-20])
