"""Several processes learn what one learns, hold less each, and go on in any other number."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import shared_roles
import shared_run
import torch
from PIL import Image
from safetensors.torch import load_file

import tiny
from paths import REPOSITORY
from zimage_core.training.distributed import ONE_PROCESS, Processes
from zimage_core.training.loop.curve import read_curve
from zimage_core.training.loop.micro_batches import Noised, micro_batches


def curve(folder):
    return [(row["loss"], row["grad_norm"], row["validation"] or 0.0) for row in read_curve(folder)]


def assert_curves_equal(found, expected):
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        assert row == pytest.approx(wanted, rel=1e-5)


@cache
def alone(kind):
    """The weights that one process learns, and its curve."""
    with TemporaryDirectory() as folder:
        trained, _ = shared_run.run(kind, Path(folder), 0, ONE_PROCESS)
        return trained, curve(Path(folder))


def assert_alike(found, kind):
    """AdamW divides gradients by their own size, rounding of the smallest, too: other groups alone give 2e-4."""
    expected, _ = alone(kind)
    for name, tensor in found.items():
        assert (tensor - expected[name]).norm() <= 1e-3 * expected[name].norm(), name


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "n_processes"), [("full", 2), ("lora", 3)])
def test_losses_and_weights_are_those_of_one_process(tmp_path, kind, n_processes):
    shared_run.run_in(n_processes, kind, tmp_path)
    assert_curves_equal(curve(tmp_path), alone(kind)[1])
    assert_alike(load_file(tmp_path / "trained.safetensors"), kind)


@pytest.mark.slow
def test_a_run_goes_on_in_another_number_of_processes(tmp_path):
    shared_run.run_in(3, "full", tmp_path, 2)
    shared_run.run_in(2, "full", tmp_path, 4)
    trained, _ = shared_run.run("full", tmp_path, 0, ONE_PROCESS)
    assert_curves_equal(curve(tmp_path), alone("full")[1])
    assert_alike(trained, "full")
    assert [file.name for file in tmp_path.glob("state*")] == ["state.safetensors"]  # older files are gone


@pytest.mark.slow
def test_each_process_holds_its_part_of_the_blocks(tmp_path):
    shared_run.run_in(3, "full", tmp_path, 1)
    held = [int((tmp_path / f"held-{rank}").read_text()) for rank in range(3)]
    dit = tiny.dit()
    blocks = [*dit.noise_refiner, *dit.context_refiner, *dit.layers]
    parts = [layer for block in blocks for layer in (block.attention, block.feed_forward)]
    divided = [each.weight for part in parts for each in part.modules() if isinstance(each, torch.nn.Linear)]
    whole = sum(each.numel() for each in dit.parameters()) - sum(each.numel() for each in divided)
    rows = [torch.arange(len(each)).chunk(3) for each in divided]  # torch.chunk is how FSDP2 divides
    for rank in range(3):
        expected = [len(row[rank]) * each[0].numel() for row, each in zip(rows, divided, strict=True)]
        assert held[rank] == whole + sum(expected)


@pytest.mark.slow
def test_roles_of_one_base_learn_in_two_processes_what_they_learn_in_one(tmp_path):
    """Student and fake score by every method, an adversarial head, and tastes, whose losses on policy are 0."""
    shared_run.run_in(2, "roles", tmp_path / "two")
    shared_roles.run_all(tmp_path / "one", ONE_PROCESS)
    for kind in shared_roles.KINDS:
        found, expected = (read_curve(tmp_path / many / kind) for many in ("two", "one"))
        assert len(found) == len(expected) == 4
        for row, wanted in zip(found, expected, strict=True):
            assert row["loss"] == pytest.approx(wanted["loss"], rel=1e-5, abs=1e-7), kind
            assert row["grad_norm"] == pytest.approx(wanted["grad_norm"], rel=1e-4), kind


@pytest.mark.parametrize("n_parts", [1, 2, 5, 6])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_shares_have_equal_lengths_and_their_mean_is_the_sum(n_parts, count):
    parts = [2.0**n for n in range(n_parts)]
    shares = [Processes(rank, count).share(parts) for rank in range(count)]
    assert len({len(share) for share in shares}) == 1
    assert sum(part * factor for share in shares for part, factor in share) / count == sum(parts)


def test_a_batch_that_one_process_would_run_at_once_is_divided():
    dataset, _ = shared_run.examples()
    noised = [example.picture.mean for example in dataset.examples if example.picture.mean.shape[1:] == (8, 8)]
    batch = [Noised(x0, x0, torch.tensor(0.5), torch.zeros(9, 48)) for x0 in noised]
    assert [len(group) for group in micro_batches(batch, 10_000, 1)] == [len(batch)]
    assert [len(group) for group in micro_batches(batch, 10_000, 2)] == [2, len(batch) - 2]


@pytest.mark.slow
def test_the_command_is_shared_by_the_processes_that_accelerate_launches(tmp_path):
    for name, colour in (("a", "red"), ("b", "blue"), ("c", "green")):
        Image.new("RGB", (40, 32), colour).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(f"a {colour} zorp")
    # fmt: off
    train = ["-m", "zimage_core", "train", "lora", "--model", "nano", "--data", str(tmp_path), "--steps", "2",
             "--batch", "3", "--side", "32"]
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
              "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    # fmt: on
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name, launcher in (("one", []), ("two", launch)):
        out = ["--out", str(tmp_path / f"{name}.safetensors")]
        subprocess.run([sys.executable, *launcher, *train, *out], check=True, cwd=REPOSITORY, env=env, timeout=600)
    assert_curves_equal(curve(tmp_path / "two.training"), curve(tmp_path / "one.training"))
    one, two = (load_file(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    for name, tensor in two.items():
        assert (tensor.float() - one[name].float()).norm() <= 1e-2 * one[name].float().norm(), name  # bfloat16
