"""What is written along an axis, against values written out by hand."""

import pytest

from zimage_core.grid import Choices, Lines, Numbers, Replacements, cells, check, layout_of, parse_axis, picture_labels

STEPS = Numbers(low=1, high=1000, is_whole=True)
CFG = Numbers(low=1.0, high=100.0, is_whole=False)
LORA = Numbers(low=-100.0, high=100.0, is_whole=False)
SEED = Numbers(low=0, high=2**64 - 1, is_whole=True)
SAMPLER = Choices(options=["euler", "heun", "res_multistep"])
MODEL = Choices(options=["a/z_image.safetensors", "nano (built in)"])


def axis(letter, name, text, kind):
    return parse_axis(letter, name, text, kind)


@pytest.mark.parametrize(
    ("kind", "text", "values"),
    [
        (STEPS, "8", [8]),
        (STEPS, " 4, 8 ,12,", [4, 8, 12]),
        (STEPS, "4\n8\r\n12; 16", [4, 8, 12, 16]),
        (STEPS, "4\uff0c8\u30018\uff1b20", [4, 8, 20]),  # Chinese commas; twice is once
        (STEPS, "1-4", [1, 2, 3, 4]),
        (STEPS, "4-12:4", [4, 8, 12]),
        (STEPS, "4-13 : 4", [4, 8, 12]),
        (STEPS, "4-12 (+4), 20", [4, 8, 12, 20]),
        (STEPS, "12-4:4", [12, 8, 4]),
        (STEPS, "1\u20133, 4\uff5e8\uff1a4, 10~12\uff08+2\uff09", [1, 2, 3, 4, 8, 10, 12]),  # a dash, Chinese signs
        (STEPS, "8.0", [8]),
        (CFG, "1-2:0.1", [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0]),  # in decimals: no 1.7000000000000002
        (CFG, "3, 4.5", [3.0, 4.5]),
        (LORA, "-1..1:0.5", [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (LORA, "-1--0.5:0.25", [-1.0, -0.75, -0.5]),
        (LORA, "-0.5", [-0.5]),
        (SEED, "18446744073709551615", [2**64 - 1]),
        (SAMPLER, "heun, euler", ["heun", "euler"]),
        (MODEL, "a\\z_image.safetensors\nnano (built in)", ["a/z_image.safetensors", "nano (built in)"]),
        (Lines(), "a cat, red\n\n a dog ", ["a cat, red", "a dog"]),
        (Replacements(), "red, blue", ["red", "blue"]),
        (Replacements(), "red, round\nblue, flat", ["red, round", "blue, flat"]),
    ],
)
def test_values_are_what_is_written(kind, text, values):
    found = axis("X", "name", text, kind).values
    assert list(found) == values
    assert [type(each) for each in found] == [type(each) for each in values]


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (STEPS, "0", "X axis, name: '0' is not a whole number from 1 to 1000."),
        (STEPS, "4.5", "X axis, name: '4.5' is not a whole number from 1 to 1000."),
        (STEPS, "990-1010:10", "X axis, name: '990-1010:10' is not a whole number from 1 to 1000."),
        (STEPS, "1-4:0", "X axis, name: the step of '1-4:0' is 0."),
        (STEPS, "1-4:0.5", "X axis, name: the step of '1-4:0.5' is 0.5."),
        (SEED, "0-18446744073709551615", "X axis, name: '0-18446744073709551615' are 18446744073709551616 values"),
        (SEED, "-1", "X axis, name: '-1' is not a whole number from 0 to 18446744073709551615."),
        (CFG, "nan", "X axis, name: 'nan' is not a number from 1 to 100."),
        (CFG, "1e3", "X axis, name: '1e3' is not a number from 1 to 100."),
        (CFG, " , ", "X axis, name: no values are written."),
        (SAMPLER, "dpm", "X axis, name: there is no 'dpm'."),
        (
            Choices(options=["none", "a.safetensors"]),
            "nine",
            "X axis, name: there is no 'nine'. The nearest names are a",
        ),
        (Choices(options=["none"]), "x", "X axis, name: there is no 'x', nor any other file."),
    ],
)
def test_a_mistake_names_the_axis_and_what_was_found(kind, text, sentence):
    with pytest.raises(ValueError) as error:
        axis("X", "name", text, kind)
    assert str(error.value).startswith(sentence) and str(error.value).endswith(".")


def test_pictures_run_along_x_then_y_then_z_and_are_named_by_what_differs():
    axes = [
        axis("X", "steps", "4, 8", STEPS),
        axis("Y", "CFG", "1, 2.5", CFG),
        axis("Z", "model", "a/z_image.safetensors", MODEL),
    ]
    check(axes, "")
    assert [(each["steps"], each["CFG"]) for each in cells(axes)] == [(4, 1.0), (8, 1.0), (4, 2.5), (8, 2.5)]
    assert picture_labels(layout_of(axes))[2] == "steps 4, CFG 2.5, z_image"
    nothing = [axis(letter, "none", "7", None) for letter in "XYZ"]
    assert cells(nothing) == [{}] and picture_labels(layout_of(nothing)) == [""]
