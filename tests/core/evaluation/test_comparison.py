"""Two reports compared: the difference that was made is found, and what cannot be compared is refused."""

import json
from dataclasses import replace

import pytest

from suite_files import coloured, write_cvtg
from toy_evaluation import SUITE, Colour, run
from zimage_core.evaluation.comparison import compare_reports, comparison_page, to_record
from zimage_core.evaluation.plot import Bar, svg
from zimage_core.evaluation.suites import SUITES


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The second run's pictures have 20 of 255 more red, but for one."""
    folder = tmp_path_factory.mktemp("runs")

    def redder(prompt, seed):
        red, green, blue = coloured(seed).getpixel((0, 0))
        return (
            coloured(seed)
            if seed == 3
            else coloured(seed).point([min(250, red + 20)] * 256 + [green] * 256 + [blue] * 256)
        )

    return run(folder / "one", n=2), run(folder / "other", n=2, draw=redder)


def test_the_difference_that_was_made_is_found_and_its_direction_named(reports):
    one, other = reports
    (found,) = compare_reports(one, other, SUITE.totals_of)
    assert found.difference.difference.value == pytest.approx(20 * 15 / 16 / 255, abs=1e-6)
    assert found.verdict == "better" and found.difference.p < 0.001
    (back,) = compare_reports(other, one, SUITE.totals_of)
    assert back.verdict == "worse" and back.difference.p == found.difference.p
    assert "CVTG/3/1" not in {case.case for case in found.cases}  # the one that did not change


def test_a_report_does_not_differ_from_itself(reports):
    (same,) = compare_reports(reports[0], reports[0], SUITE.totals_of)
    assert (same.difference.p, same.verdict, same.cases) == (1, "no real difference", ())


def test_the_page_shows_the_pictures_of_both_beside_each_other(reports):
    compared = compare_reports(*reports, SUITE.totals_of)
    text = comparison_page(*reports, compared, (lambda case, n: coloured(1), lambda case, n: None))
    assert text.count("data:image/jpeg") == text.count("no picture") == 15
    assert json.loads(json.dumps(to_record(compared)))[0]["verdict"] == "better"


def test_other_readers_prompts_and_suites_are_refused(reports, tmp_path):
    one, other = reports

    class Another(Colour):
        reader = "toy 2"

    elsewhere = run(tmp_path / "reader", n=2, score=Another())
    with pytest.raises(ValueError, match="no score has the same reader in both"):
        compare_reports(one, elsewhere, SUITE.totals_of)
    with pytest.raises(ValueError, match="they are two suites"):
        compare_reports(one, replace(other, run=replace(other.run, suite="dpg")), SUITE.totals_of)
    changed = replace(other, results=(replace(other.results[0], prompt="another"), *other.results[1:]))
    with pytest.raises(ValueError, match="another prompt in the two reports"):
        compare_reports(one, changed, SUITE.totals_of)


def test_a_plots_places_are_in_proportion_to_its_numbers_and_its_labels_are_escaped():
    bars = [Bar(label="<a>", value=value, low=value, high=value) for value in (0.2, 0.3, 0.5)]
    text = svg(bars)
    places = [float(each.split('"')[1]) for each in text.split("<circle ")[1:]]
    assert (places[2] - places[0]) / (places[1] - places[0]) == pytest.approx(3, abs=0.01)
    assert "&lt;a&gt;" in text and svg([]) == ""


def test_every_published_row_is_a_part_of_one_and_names_its_reader():
    rows = [row for suite in SUITES.values() for row in suite.published]
    assert len(rows) == 32
    assert all(0 < row.value < 1 and row.reader and row.source for row in rows)


def test_seeds_are_those_that_were_asked_for(tmp_path):
    from zimage_core.evaluation.case import Reading

    cases = SUITE.read(write_cvtg(tmp_path), Reading(first_seed=100))
    assert [case.seeds for case in cases] == [(100 + index,) for index in range(8)]
