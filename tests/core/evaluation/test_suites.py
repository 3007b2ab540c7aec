"""Suites read their authors' files and know their folders: the truth is what those files and programs say."""

import json

import numpy as np
import pytest
from PIL import Image

from suite_files import (
    WRITERS,
    coloured,
    is_drawn,
    save_pictures,
    write_cvtg,
    write_dpg,
    write_geneval,
    write_json,
    write_oneig,
    write_tiif,
)
from zimage_core.evaluation.case import Reading
from zimage_core.evaluation.pictures import find, open_picture, unclaimed
from zimage_core.evaluation.suites import SUITES
from zimage_core.scoring.score import Measurement

EVERY = pytest.mark.parametrize("name", SUITES)

# The first picture of the first case, as the authors' programs look for it.
FIRST_FILES = {
    "cvtg-2k": "CVTG/2/0.png",
    "longtext": "0000_1.png",
    "longtext-zh": "0007_1.png",
    "oneig-text": "text/zimage/003.webp",
    "oneig-text-zh": "text/zimage/003.webp",
    "oneig-alignment": "anime/zimage/003.webp",
    "oneig-alignment-zh": "anime/zimage/003.webp",
    "oneig-diversity": "anime/zimage/003.webp",
    "oneig-diversity-zh": "anime/zimage/003.webp",
    "oneig-reasoning": "reasoning/zimage/003.webp",
    "oneig-reasoning-zh": "reasoning/zimage/003.webp",
    "oneig-style": "anime/zimage/003.webp",
    "oneig-style-zh": "anime/zimage/003.webp",
    "geneval": "00000/samples/0000.png",
    "geneval2": "00000.png",
    "dpg": "partiprompts1.png",
    "tiif-short": "action+3d/zimage/short_description/0.png",
    "tiif-long": "action+3d/zimage/long_description/0.png",
    "tiif-text-short": "text/zimage/short_description/0.png",
    "tiif-text-long": "text/zimage/long_description/0.png",
    "prism": "affection/0.png",
    "prism-zh": "affection/0.png",
}


def read(name, folder, **reading):
    return SUITES[name].read(WRITERS[name](folder), Reading(**reading))


@EVERY
def test_a_suites_pictures_lie_where_its_authors_put_theirs_and_come_back_from_there(name, tmp_path):
    cases = read(name, tmp_path / "prompts")
    assert cases[0].places[0].file == FIRST_FILES[name]
    assert len({case.id for case in cases}) == len(cases)
    seeds = [seed for case in cases for seed in case.seeds]
    assert len(set(seeds)) == len(seeds)
    for case in cases:
        save_pictures(tmp_path, case, [coloured(seed) for seed in case.seeds])
        assert is_drawn(tmp_path, case)
        for seed, place in zip(case.seeds, case.places, strict=True):
            assert open_picture(tmp_path, place).image.tobytes() == coloured(seed).tobytes()
    assert unclaimed(tmp_path, cases) == []


@EVERY
def test_a_folder_without_the_prompts_gets_one_sentence_that_names_the_file(name, tmp_path):
    with pytest.raises(ValueError, match="has no .*: choose") as told:
        SUITES[name].read(tmp_path, Reading())
    assert "\n" not in str(told.value)


def test_cvtg_asks_for_the_text_of_each_region_with_its_apostrophes(tmp_path):
    write_cvtg(tmp_path)
    sentences = ["a shop's sign that says 'DON'T WALK'.", "the boys' club with 'Boys' Room'."]
    record = {"index": 4, "prompt": "p", "carrier_list": [], "sentence_list": sentences}
    write_json(tmp_path / "CVTG/2.json", {"data_list": [record]})
    first = SUITES["cvtg-2k"].read(tmp_path, Reading())[0]
    assert (first.id, first.group) == ("CVTG/2/4", "2 regions")
    assert first.request.lettering[0] == "DON'T WALK"


def test_cvtgs_second_folder_is_found_under_both_spellings(tmp_path):
    write_cvtg(tmp_path)
    (tmp_path / "CVTG-Style").rename(tmp_path / "CVTG-style")
    cases = SUITES["cvtg-2k"].read(tmp_path, Reading())
    assert [case.group for case in cases] == [f"{n} regions" for n in (2, 3, 4, 5)] * 2


def test_oneigs_texts_and_questions_belong_to_their_prompts(tmp_path):
    (text,) = read("oneig-text", tmp_path)
    assert text.request.lettering == ("Fresh bread\nevery day",)
    asked = read("oneig-alignment", tmp_path)[0].request.rules
    assert asked == {"questions": {1: "Is there a cat?", 2: "Is the cat red?"}, "parents": {1: (0,), 2: (1,)}}
    assert [case.group for case in read("oneig-alignment-zh", tmp_path)][-1] == "multilingualism"


def test_oneigs_answers_and_styles_belong_to_their_prompts(tmp_path):
    [answered], [styled] = (read(f"oneig-{part}", tmp_path) for part in ("reasoning", "style"))
    assert (answered.request.prompt, answered.request.rules) == ("a red dog", {"reference": "003"})
    assert (styled.group, styled.request.rules) == ("pop_art", {"reference": "pop_art"})
    assert [case.group for case in read("oneig-diversity", tmp_path)] == [
        "anime",
        "human",
        "object",
        "text",
        "reasoning",
    ]
    assert read("oneig-diversity-zh", tmp_path)[-1].group == "multilingualism"
    write_json(tmp_path / "scripts/reasoning/gt_answer.json", {"004": "a cat"})
    with pytest.raises(ValueError, match="no answer for the picture 003"):
        SUITES["oneig-reasoning"].read(tmp_path, Reading())


def test_a_mean_of_prompts_weighs_each_prompt_alike():
    totals = SUITES["oneig-diversity"].totals
    terms = [totals.terms([Measurement(value=each) for each in values], "") for values in ((1.0, 1.0, 1.0), (0.0,), ())]
    assert totals.total(np.sum(terms, 0)) == 0.5


def test_a_black_tile_of_oneig_is_a_picture_that_was_not_drawn(tmp_path):
    (case,) = read("oneig-text", tmp_path)
    save_pictures(tmp_path, case, [coloured(1), Image.new("RGB", (16, 16)), coloured(3), coloured(4)])
    found = [open_picture(tmp_path, place) for place in case.places]
    assert [each.image is None for each in found] == [False, True, False, False]
    assert "black" in found[1].problem


def test_dpg_leaves_out_its_first_row_only_as_its_authors_do(tmp_path):
    def asked(**reading):
        return {case.id: list(case.request.rules["questions"]) for case in read("dpg", tmp_path, **reading)}

    assert asked() == {"partiprompts1": [2], "stanford7": [1, 2, 3]}
    assert asked(as_authors=False) == {"partiprompts1": [1, 2], "stanford7": [1, 2, 3]}
    assert read("dpg", tmp_path)[1].request.rules["parents"] == {1: (0,), 2: (1, 3), 3: (0,)}


def test_genevals_lines_stand_beside_the_pictures_for_its_authors_program(tmp_path):
    cases = SUITES["geneval"].read(write_geneval(tmp_path), Reading())
    beside = SUITES["geneval"].beside(cases)
    lines = (tmp_path / "evaluation_metadata.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(beside[f"{index:05d}/metadata.jsonl"]) for index in (0, 1)] == list(map(json.loads, lines))


def test_genevals_number_is_the_mean_of_its_tags_and_not_of_its_pictures():
    totals = SUITES["geneval"].totals
    right, wrong = Measurement(value=1.0), Measurement(value=0.0)
    measured = {"counting": [right] * 3, "colors": [right, wrong], "position": [wrong, Measurement.missing("gone")]}
    sums = np.sum([totals.terms(each, tag) for tag, each in measured.items()], axis=0)
    assert totals.total(sums) == pytest.approx((1 + 0.5 + 0) / 3)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".jpeg"])
def test_pictures_of_others_are_found_with_other_endings(tmp_path, suffix):
    case = read("geneval", tmp_path)[0]
    file = tmp_path / "00000/samples/00000"
    file.parent.mkdir(parents=True)
    coloured(5).save(file.with_suffix(suffix))
    assert find(tmp_path, case.places[0]) == file.with_suffix(suffix)


def test_truncated_pictures_and_folders_in_their_place_are_told_and_not_measured(tmp_path):
    case = read("longtext", tmp_path)[0]
    save_pictures(tmp_path, case, [Image.effect_noise((64, 64), 50).convert("RGB")] * 4)
    one, other, gone, _ = (tmp_path / place.file for place in case.places)
    one.write_bytes(one.read_bytes()[:900])
    other.unlink(), other.mkdir(), gone.unlink()
    problems = [open_picture(tmp_path, place).problem for place in case.places]
    assert "cannot be read as a picture" in problems[0] and "is a folder" in problems[1]
    assert problems[2:] == ["there is no 0000_3.png", ""]
    assert not any(str(tmp_path) in each for each in problems)


def test_a_picture_too_many_is_told(tmp_path):
    case = read("longtext", tmp_path)[0]
    save_pictures(tmp_path, case, [coloured(seed) for seed in case.seeds])
    coloured(9).save(tmp_path / "0000_5.png")
    assert unclaimed(tmp_path, [case]) == ["0000_5.png"]


MALFORMED = {
    "no JSON": ("{", "is not JSON"),
    "no list": ('{"data": []}', "has no list data_list"),
    "no record": ('{"data_list": [3]}', "record 0 is no record but int"),
    "no prompt": ('{"data_list": [{"index": 1}]}', "has no text prompt; it has index"),
    "a name that leads elsewhere": ('{"data_list": [{"index": "../../x", "prompt": "p"}]}', "cannot name a picture"),
}


@pytest.mark.parametrize("text,told", MALFORMED.values(), ids=MALFORMED)
def test_malformed_prompts_are_told_with_their_place(tmp_path, text, told):
    write_cvtg(tmp_path)
    (tmp_path / "CVTG/3.json").write_text(text)
    with pytest.raises(ValueError, match=told) as error:
        SUITES["cvtg-2k"].read(tmp_path, Reading())
    assert "3.json" in str(error.value)


def test_a_line_of_tiif_without_questions_is_drawn_and_asked_nothing(tmp_path):
    file = write_tiif(tmp_path) / "testmini_eval_prompts/color_eval_prompts.jsonl"
    file.write_text('{"type": "text"}\n' + file.read_text().splitlines()[1] + "\n")
    rules = [case.request.rules for case in SUITES["tiif-short"].read(tmp_path, Reading()) if case.group == "color"]
    assert rules[0] == {} and rules[1]["questions"] == {1: "Red?", 2: "Blue?"}


@pytest.mark.parametrize("has_questions", [True, False])
def test_tiifs_words_are_those_of_its_questions_or_of_the_short_prompt(has_questions, tmp_path):
    if not has_questions:
        (write_tiif(tmp_path) / "testmini_eval_prompts/text_eval_prompts.jsonl").unlink()
    folder = tmp_path if not has_questions else write_tiif(tmp_path)
    [case] = SUITES["tiif-text-long"].read(folder, Reading())
    [whole] = [each for each in SUITES["tiif-long"].read(folder, Reading()) if each.group == "text"]
    assert case.prompt == "long" and case.request.lettering == ("Tea", "it's")
    assert (case.places, case.seeds) == (whole.places, whole.seeds)


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    file = write_tiif(tmp_path) / "testmini_eval_prompts/color_eval_prompts.jsonl"
    file.write_text(file.read_text().splitlines()[0])
    with pytest.raises(ValueError, match="has 1 lines, but color_prompts.jsonl has 2"):
        SUITES["tiif-short"].read(tmp_path, Reading())
    text = write_oneig(tmp_path) / "scripts/text/text_content.csv"
    text.write_text("id,text_content\n008,x\n")
    with pytest.raises(ValueError, match="no text for the picture 003"):
        SUITES["oneig-text"].read(tmp_path, Reading())
    dpg = write_dpg(tmp_path) / "dpg_bench.csv"
    dpg.write_text(dpg.read_text().replace('"1, 3"', "all"))
    with pytest.raises(ValueError, match="dependency 'all' is no list of numbers"):
        SUITES["dpg"].read(tmp_path, Reading())
