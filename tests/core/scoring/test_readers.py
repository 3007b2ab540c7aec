"""Readers on text rendered with a real font, and with what a broken one does."""

import shutil
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from zimage_core.scoring.lettering import (
    RULES,
    LetteringScore,
    Line,
    RapidReader,
    Reader,
    ReaderError,
    ReadOnce,
    TesseractReader,
    check_reader,
)
from zimage_core.scoring.lettering.rapid import MODELS
from zimage_core.scoring.lettering.self_test import sample
from zimage_core.scoring.lettering.tesseract import lines_of
from zimage_core.scoring.score import Request, Score, title

WORDS = "Fresh bread and honey", "Open until seven", "Harbour Street 42"
REQUEST = Request(lettering=WORDS)


class Fixed:
    """Reads the same lines in every picture, or fails as often as told."""

    name = "fixed 1.0"

    def __init__(self, *texts: str, is_blind: bool = False) -> None:
        self.texts, self.is_blind, self.calls = texts, is_blind, 0

    def read(self, picture, language):
        self.calls += 1
        if picture.size == sample("en")[0].size and not self.is_blind:
            return [Line(text=sample(language)[1])]
        if picture.size == (1, 1):
            raise ReaderError("the picture shows nothing")
        return [Line(text=text) for text in self.texts]


def sign(side: int = 448, letter: int = 36) -> Image.Image:
    picture = Image.new("RGB", (side, side), "#e8e4d8")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(letter)
    for line, text in enumerate(WORDS):
        draw.text((side / 2, side * (line + 1) / 4), text, font=font, fill="#203040", anchor="mm")
    return picture


def accuracy(reader: Reader, picture: Image.Image) -> float:
    value = LetteringScore(reader, RULES["word accuracy"])([picture], [REQUEST])[0].value
    assert value is not None
    return value


def overlaid(picture: Image.Image) -> Image.Image:
    result = picture.copy()
    draw = ImageDraw.Draw(result)
    for x in range(0, picture.width, 12):
        draw.line((x, 0, x + 60, picture.height), fill="#203040", width=4)
    return result


@pytest.fixture(scope="module", params=[RapidReader, TesseractReader])
def reader(request):
    if request.param is TesseractReader and not shutil.which("tesseract"):
        pytest.skip("no tesseract here")
    return ReadOnce(request.param())


@pytest.mark.slow
def test_clean_text_is_read_without_a_mistake_and_spoiled_text_is_not(reader):
    picture = sign()
    assert accuracy(reader, picture) == 1
    tiny = picture.resize((64, 64)).resize(picture.size)
    for spoiled in (picture.filter(ImageFilter.GaussianBlur(9)), tiny, overlaid(picture)):
        assert accuracy(reader, spoiled) <= 0.5
    assert accuracy(reader, Image.new("RGB", (200, 200))) == 0
    other = Request(lettering=("Lemon cake", "Closed today", "Station Road 7"))  # a picture of another prompt
    assert LetteringScore(reader, RULES["word accuracy"])([picture], [other])[0].value == 0


@pytest.mark.slow
def test_the_lines_lie_where_the_text_was_drawn(reader):
    picture = sign()
    lines = sorted(reader.read(picture, "en"), key=lambda line: line.box[1])
    assert [line.text for line in lines] == list(WORDS)
    for number, line in enumerate(lines, 1):
        left, top, right, bottom = line.box
        assert abs((top + bottom) / 2 - picture.height * number / 4) < 10 and left < picture.width / 2 < right
        assert 0.5 < line.confidence <= 1


@pytest.mark.slow
def test_chinese_is_read(reader):
    try:
        check_reader(reader, "zh")
    except ReaderError as error:
        assert "chi_sim" in str(error)
        pytest.skip("tesseract without Chinese")


@pytest.mark.slow
def test_reading_fetches_nothing(monkeypatch):
    def refused(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refused)
    monkeypatch.setattr("socket.getaddrinfo", refused)
    check_reader(RapidReader(threads=1), "en")


def test_a_reader_that_finds_nothing_is_not_believed():
    blind = LetteringScore(Fixed(is_blind=True), RULES["word accuracy"])
    with pytest.raises(ReaderError, match=r"fixed 1.0 is not believed: it was shown 'OPEN until nine' .* read ''"):
        blind([sign()], [REQUEST])


def test_a_picture_that_could_not_be_read_is_missing_and_the_others_are_not():
    score = LetteringScore(Fixed(*WORDS), RULES["exact match"])
    first, second = score([Image.new("RGB", (1, 1)), sign()], [REQUEST, REQUEST])
    assert (first.value, first.problem) == (None, "the picture shows nothing")
    assert second.value == 1
    assert isinstance(score, Score) and title(score) == "exact match (fixed 1.0)"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Request(lettering=("\u0445\u043b\u0435\u0431",)), "reads no cyrillic letters"),
        (Request(lettering=("Caf\u00e9", "\ube75"), language="zh"), "reads no hangul letters"),
        (Request(lettering=("bread",), language="de"), "not in 'de'"),
    ],
)
def test_a_text_that_a_reader_cannot_read_is_missing_and_not_wrong(asked, told):
    for each in (RapidReader(), ReadOnce(RapidReader())):
        [found] = LetteringScore(each, RULES["word accuracy"])([Image.new("RGB", (9, 9))], [asked])
        assert found.value is None and told in found.problem


def test_the_scripts_of_a_reader_are_its_models_alphabet():
    onnxruntime = pytest.importorskip("onnxruntime")
    import rapidocr

    model = Path(rapidocr.__file__).parent / "models" / MODELS["Rec"]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    letters = onnxruntime.InferenceSession(str(model), options).get_modelmeta().custom_metadata_map["character"]
    known = Counter(unicodedata.name(each, "?").split()[0] for each in letters if each.isalpha())
    assert all(known[script] > 50 or script == "KATAKANA-HIRAGANA" for script in RapidReader.scripts)
    assert not any(known[script] for script in ("CYRILLIC", "HANGUL", "ARABIC", "THAI", "DEVANAGARI", "HEBREW"))


def test_several_rules_read_a_picture_once():
    source = Fixed(*WORDS)
    once = ReadOnce(source)
    for rule in RULES.values():
        LetteringScore(once, rule)([sign()], [REQUEST])
    assert source.calls == 2  # the sample and the sign


def test_without_the_package_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("zimage_core.scoring.lettering.rapid.find_spec", lambda name: None)
    with pytest.raises(
        ReaderError, match=r'the package rapidocr; install it with: ".*-m pip install "rapidocr>=3.10" on'
    ):
        RapidReader().read(sign(), "en")
    with pytest.raises(ReaderError, match="no program 'tesseract-nowhere' here; install it"):
        TesseractReader(command="tesseract-nowhere").read(sign(), "en")


def test_tesseracts_table_becomes_lines():
    head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
    rows = "4\t1\t1\t1\t1\t0\t0\t0\t9\t9\t-1\t\n5\t1\t1\t1\t1\t1\t10\t20\t30\t8\t90\tOpen\n"
    rows += '5\t1\t1\t1\t1\t2\t50\t18\t20\t12\t70\t"now\n5\t1\t1\t1\t2\t1\t5\t40\t6\t7\t96\tBar\n'
    first, second = lines_of(head + rows, is_spaced=True)
    assert (first.text, first.box, first.confidence) == ('Open "now', (10, 18, 70, 30), pytest.approx(0.8))
    assert (second.text, second.box) == ("Bar", (5, 40, 11, 47))
    assert next(iter(lines_of(head + rows, is_spaced=False))).text == 'Open"now'


def test_a_narrow_picture_gets_a_margin_and_no_other_does():
    """The reader enlarges the short side to 736 pixels, which took 17 GB for one of 7x2000."""
    from zimage_core.scoring.lettering.rapid import widened

    narrow = Image.effect_noise((7, 2000), 90).convert("RGB")
    wide = widened(narrow)
    assert wide.size == (500, 2000) and wide.crop((0, 0, 7, 2000)).tobytes() == narrow.tobytes()
    assert set(wide.crop((7, 0, 500, 2000)).getdata()) == {narrow.getpixel((0, 0))}
    for size in ((100, 400), (400, 100), (64, 64)):
        assert widened(picture := Image.new("RGB", size)) is picture
