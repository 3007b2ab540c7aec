"""Lines of a list of LoRAs: what they mean, and that the forms of before options keep their meaning."""

import pytest

from zimage_core.checkpoints import Strength, parse_rows


def only(line):
    (row,) = parse_rows(line)
    return row


@pytest.mark.parametrize(
    ("line", "name", "strength"),
    [
        ("a.safetensors", "a.safetensors", 1.0),
        ("a.safetensors : -.5", "a.safetensors", -0.5),
        ("C:a @ 0.2-1 blocks 0=1.safetensors : 2", "C:a @ 0.2-1 blocks 0=1.safetensors", 2.0),
        ("a > b @ 0-1 blocks 1=2", "a > b @ 0-1 blocks 1=2", 1.0),  # no colon: all is the name
        ("\u98ce\uff1a2.safetensors\uff1a0.7", "\u98ce\uff1a2.safetensors", 0.7),  # a Chinese colon after the ending
        ("\u98ce\uff1a2.safetensors \uff1a 0.7", "\u98ce\uff1a2.safetensors", 0.7),
        ("\u98ce\uff1a2.safetensors", "\u98ce\uff1a2.safetensors", 1.0),  # one in a name
    ],
)
def test_names_and_plain_strengths_mean_what_they_meant(line, name, strength):
    row = only(line)
    assert (row.name, row.strength) == (name, Strength(strength, strength))
    assert row.strength.is_constant and {row.strength.at(progress) for progress in (0.0, 0.3, 1.0)} == {strength}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0.8 @ 0.2-1", {0.0: 0.0, 0.19: 0.0, 0.2: 0.8, 1.0: 0.8}),
        ("0.8@0-0.5", {0.0: 0.8, 0.49: 0.8, 0.5: 0.0, 1.0: 0.0}),
        ("0.2>1", {0.0: 0.2, 0.5: 0.6, 1.0: 1.0}),
        ("1 > -1 @ 0.5-0.9", {0.4: 0.0, 0.5: 1.0, 0.7: 0.0, 0.8: -0.5, 0.9: 0.0}),
        ("0.8 @ 0.5-0.5", {0.0: 0.0, 0.5: 0.0, 1.0: 0.0}),
    ],
)
def test_a_strength_over_the_steps(written, expected):
    strength = only(f"a : {written}").strength
    assert not strength.is_constant
    for progress, value in expected.items():
        assert strength.at(progress) == pytest.approx(value), progress


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1 blocks 0-9=0.5 10=0", (0.5, 0.5, 0.0, 1.0, 1.0, 1.0)),
        ("1 blocks rest = 0 9-10=2 noise_refiner=.5", (0.0, 2.0, 2.0, 0.5, 0.0, 0.0)),
        ("1 @ 0-1 blocks 0-99=0 9=3 context_refiner=0", (0.0, 3.0, 0.0, 1.0, 0.0, 1.0)),
    ],
)
def test_factors_of_blocks(written, expected):
    names = [f"layers.{number}.attention.qkv.weight" for number in (0, 9, 10)]
    names += ["noise_refiner.0.attention.out.weight", "context_refiner.9.attention.out.weight", "x_pad_token"]
    strength = only(f"a : {written}").strength
    assert tuple(map(strength.factor_of, names)) == expected
    assert parse_rows(f"a : {strength}")[0].strength == strength  # as it is written out, it means the same


def test_a_tag_of_other_programs_is_told_how_it_is_written_here():
    with pytest.raises(ValueError, match=r"^Line 2: <lora:a b:0\.8> is how .* strength: a b\.safetensors : 0\.8$"):
        parse_rows("c.safetensors : 1\n<lora:a b:0.8>")
