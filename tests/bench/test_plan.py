"""What is measured, in which order, and what a short budget leaves out; tables and log."""

import pytest
import torch

from bench import machine
from bench.cells import PARTS, Cell, Matrix, parse_size
from bench.flops import cell_flops
from bench.plan import SLOWDOWN, plan_cells, tiny_setup
from bench.table import append, duration, size, table
from bench.timing import Pace

MATRIX = Matrix(sizes=((64, 64), (96, 64), (128, 128)), captions=(20, 40), batches=(1, 4))


def test_a_star_leaves_the_centre_along_one_axis_at_a_time():
    cells = list(MATRIX.star(["transformer", "text"]))
    centre = Cell(part="transformer", size=(64, 64), caption=20)
    assert cells[:2] == [centre, Cell(part="text", size=(64, 64), caption=20)]
    assert len(cells) == 2 + (2 + 1 + 1 + 1) + (1 + 1)  # sizes, caption, batch, guidance; caption, batch
    assert len(set(cells)) == len(cells)
    nearest = [(cell.size, cell.caption, cell.batch, cell.guided) for cell in cells[2:6]]
    assert nearest == [
        ((96, 64), 20, 1, False),
        ((64, 64), 40, 1, False),
        ((64, 64), 20, 4, False),
        ((64, 64), 20, 1, True),
    ]


def test_the_full_matrix_is_every_combination():
    cells = list(MATRIX.full(PARTS))
    assert len(cells) == 3 + 3 * 2 * 2 * 2 + 2 * 2 + 3 * 2 + 3 * 2
    assert len(set(cells)) == len(cells)


def test_tokens_and_evaluations_of_an_odd_guided_picture():
    cell = Cell(part="picture", size=(832, 1216), caption=33, guided=True)
    assert (cell.image_tokens, cell.caption_tokens, cell.nfe) == (3968, 64, 16)  # 76·52 = 3952 patches, padded
    assert cell.describe() == "832x1216, 33 tokens, guided"


@pytest.mark.parametrize("wrong", ["512", "512x", "x512", "5.5x6", "-16x16"])
def test_a_size_that_is_none_is_named(wrong):
    with pytest.raises(ValueError, match="write width and height like 832x1216"):
        parse_size(wrong)


def test_a_size_no_picture_has_is_named():
    with pytest.raises(ValueError, match="520x512: both sides must be multiples of 16"):
        Cell(part="decode", size=(520, 512), caption=1)


def test_the_budget_is_kept_and_what_it_leaves_out_is_told():
    setup, pace = tiny_setup(), Pace(seconds=0, warmups=1, least=3)
    cells = [Cell(part="decode", size=(side, side), caption=1) for side in (64, 512, 128)]
    work = [cell_flops(cell, setup.dit, setup.text, setup.vae) for cell in cells]
    rounds = 1 + 3 + 2  # to warm up, the fewest, one to try everybody and one for memory
    peak = (
        (2 * rounds + 1) * SLOWDOWN * (work[0] + work[2])
    )  # two, and the exact answer: one second for small and middle
    planned, left_out = plan_cells(cells, setup, 2, 4.0, peak, pace)
    assert [each.cell for each in planned] == [cells[0], cells[2]] and [each.cell for each in left_out] == [cells[1]]
    assert sum(each.seconds for each in planned) == pytest.approx(4.0)  # what is left over is measured longer


def test_a_plain_product_is_no_faster_than_counted(monkeypatch):
    monkeypatch.setattr(machine, "PEAK_SIDE", {"cpu": 64})
    monkeypatch.setattr(machine, "seconds", lambda run, device: 0.5)
    assert machine.peak_flops(torch.device("cpu"), torch.float32) == 4 * 64**3


def test_a_table_is_markdown_of_one_width():
    lines = table(("cell", "time"), [("a", "1 s"), ("long name", "12 ms")]).splitlines()
    assert lines == [
        "| cell      |  time |",
        "|-----------|------:|",
        "| a         |   1 s |",
        "| long name | 12 ms |",
    ]


def test_the_log_grows_at_its_end(tmp_path):
    log = tmp_path / "log.md"
    append(log, "first", ["machine: one"], "| a |")
    append(log, "second", ["machine: two"], "| b |")
    text = log.read_text()
    assert text.count("# Measurements\n") == 1
    assert text.index("· first") < text.index("| a |") < text.index("· second") < text.index("- machine: two")


def test_quantities_in_words():
    assert (duration(0.01234), duration(12.34)) == ("12.3 ms", "12.3 s")
    assert (size(3 * 2**20), size(1536 * 2**20)) == ("3 MiB", "1.5 GiB")
