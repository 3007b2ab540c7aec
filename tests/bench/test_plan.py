"""The order of workloads, what a time budget skips, tables and the log."""

import pytest
import torch

from bench import machine
from bench.flops import workload_flops
from bench.plan import OVERHEAD_FACTOR, plan_workloads, tiny_setup
from bench.table import append, duration, size, table
from bench.timing import TimeBudget
from bench.workloads import PARTS, Sweep, Workload, parse_size

SWEEP = Sweep(sizes=((64, 64), (96, 64), (128, 128)), captions=(20, 40), batches=(1, 4))


def test_a_sweep_varies_one_axis_at_a_time_from_the_baseline():
    workloads = list(SWEEP.one_at_a_time(["transformer", "text"]))
    baseline = Workload(part="transformer", size=(64, 64), caption=20)
    assert workloads[:2] == [baseline, Workload(part="text", size=(64, 64), caption=20)]
    assert len(workloads) == 2 + (2 + 1 + 1 + 1) + (1 + 1)  # sizes, caption, batch, guidance; caption, batch
    assert len(set(workloads)) == len(workloads)
    nearest = [(workload.size, workload.caption, workload.batch, workload.guided) for workload in workloads[2:6]]
    assert nearest == [
        ((96, 64), 20, 1, False),
        ((64, 64), 40, 1, False),
        ((64, 64), 20, 4, False),
        ((64, 64), 20, 1, True),
    ]


def test_a_full_sweep_is_every_combination():
    workloads = list(SWEEP.all_combinations(PARTS))
    assert len(workloads) == 3 + 3 * 2 * 2 * 2 + 2 * 2 + 3 * 2 + 3 * 2
    assert len(set(workloads)) == len(workloads)


def test_tokens_and_evaluations_of_an_odd_guided_picture():
    workload = Workload(part="picture", size=(832, 1216), caption=33, guided=True)
    assert (workload.image_tokens, workload.caption_tokens, workload.nfe) == (
        3968,
        64,
        16,
    )  # 76·52 = 3952 patches, padded
    assert workload.describe() == "832x1216, 33 tokens, guided"


@pytest.mark.parametrize("wrong", ["512", "512x", "x512", "5.5x6", "-16x16"])
def test_a_size_that_is_none_is_named(wrong):
    with pytest.raises(ValueError, match="write width and height like 832x1216"):
        parse_size(wrong)


def test_a_size_no_picture_has_is_named():
    with pytest.raises(ValueError, match="520x512: both sides must be multiples of 16"):
        Workload(part="decode", size=(520, 512), caption=1)


def test_the_time_budget_is_kept_and_skipped_workloads_are_returned():
    setup, budget = tiny_setup(), TimeBudget(seconds=0, warmups=1, min_rounds=3)
    workloads = [Workload(part="decode", size=(side, side), caption=1) for side in (64, 512, 128)]
    work = [workload_flops(workload, setup.dit, setup.text, setup.vae) for workload in workloads]
    rounds = 1 + 3 + 2  # warm-up, minimum rounds, trial run and memory run
    peak = (
        (2 * rounds + 1) * OVERHEAD_FACTOR * (work[0] + work[2])
    )  # two runners and the reference: one second for the small and the middle workload
    planned, skipped = plan_workloads(workloads, setup, 2, 4.0, peak, budget)
    assert [each.workload for each in planned] == [workloads[0], workloads[2]] and [
        each.workload for each in skipped
    ] == [workloads[1]]
    assert sum(each.seconds for each in planned) == pytest.approx(4.0)  # remaining time is distributed


def test_peak_flops_counts_two_operations_per_multiply_add(monkeypatch):
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


def test_durations_and_sizes_are_formatted():
    assert (duration(0.01234), duration(12.34)) == ("12.3 ms", "12.3 s")
    assert (size(3 * 2**20), size(1536 * 2**20)) == ("3 MiB", "1.5 GiB")
