"""Instructions as files: the user's before ours, slots filled, faults said in a sentence."""

import pytest

from zimage_core.language.instructions import MAX_BYTES, find_instructions, read_instruction

FRONT = "---\nlanguage: zh\nversion: 3\n---\n"


def test_the_users_file_comes_before_ours_of_the_same_name(tmp_path):
    (tmp_path / "enhance.en.md").write_text(FRONT + "mine")
    found = find_instructions("enhance", [tmp_path, tmp_path / "none"])
    assert read_instruction(found["enhance.en"]).text == "mine"
    assert "enhance.zh" in found


def test_front_matter_is_read_slots_are_filled_and_other_braces_stay(tmp_path):
    file = tmp_path / "a.md"
    file.write_bytes(b"\xef\xbb\xbf" + (FRONT + "In {language}: {json} {length}").replace("\n", "\r\n").encode())
    found = read_instruction(file)
    assert (found.language, found.version) == ("zh", "3")
    assert found.filled({"language": "Chinese", "length": "ten"}) == "In Chinese: {json} ten"
    file.write_text("no front matter")
    assert read_instruction(file).text == "no front matter"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (FRONT + "  \n", "says nothing"),
        ("---\n[\n---\ntext", "begins with no YAML"),
        ("---\njust words\n---\ntext", "begins with no names"),
        (b"\xff\xfe\x00", "not UTF-8"),
        ("x" * (MAX_BYTES + 1), "larger than 64 kB"),
    ],
)
def test_faults_name_the_file_and_a_broken_one_is_still_listed(content, said, tmp_path):
    file = tmp_path / "mine.md"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=f"mine.md.*{said}"):
        read_instruction(file)
    assert "mine" in find_instructions("enhance", [tmp_path])


@pytest.mark.parametrize("name", ["enhance.en", "enhance.zh"])
def test_our_own_fill_every_slot(name):
    found = read_instruction(find_instructions("enhance")[name])
    filled = found.filled({"facts": "F.", "language": "L", "length": "N"})
    assert "{" not in filled and "F." in filled and found.language == name[-2:]
