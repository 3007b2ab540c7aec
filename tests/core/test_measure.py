"""Optional kernels: what a candidate gives is used if it is right, and in one line said why not if it is not."""

import pytest
import torch

from zimage_core.measure import agree, run_and_compare

EXPECTED = torch.tensor([1.0, 2.0, 3.0])


def fails(error):
    def run():
        raise error

    return run


def test_a_result_that_agrees_is_returned_itself():
    found = EXPECTED * 1.001
    assert run_and_compare(lambda: found, EXPECTED, "it differs") is found
    assert run_and_compare(lambda: found, EXPECTED, "it differs", is_same=torch.equal) == "it differs"


@pytest.mark.parametrize("wrong", [EXPECTED * 1.1, EXPECTED * float("nan")], ids=["another", "not a number"])
def test_a_wrong_result_is_said_to_be_one(wrong):
    assert not agree(wrong, EXPECTED)
    assert run_and_compare(lambda: wrong, EXPECTED, "it differs") == "it differs"


def test_of_an_exception_the_first_line_is_returned():
    assert run_and_compare(fails(ValueError("no kernel\nsource code")), EXPECTED, "it differs") == "no kernel"
    with pytest.raises(ValueError, match="no kernel"):
        run_and_compare(fails(ValueError("no kernel")), EXPECTED, "it differs", caught=RuntimeError)


def test_running_out_of_memory_and_what_the_caller_names_are_passed_on():
    with pytest.raises(torch.OutOfMemoryError):
        run_and_compare(fails(torch.OutOfMemoryError()), EXPECTED, "it differs")
    with pytest.raises(KeyError):
        run_and_compare(fails(KeyError()), EXPECTED, "it differs", passed_on=(KeyError,))
