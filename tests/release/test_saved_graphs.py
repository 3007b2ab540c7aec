"""A graph saved with one version loads with every later one: how that can break, node by node.

`first_definitions.json` is what each node was when it first appeared, from the history of the server's own snapshot.
New nodes are added to it by `--update-snapshots`; what stands there is never changed.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from paths import REPOSITORY

RECORD = Path(__file__).with_name("first_definitions.json")
TODAY = json.loads((REPOSITORY / "tests/server/object_info.json").read_text("utf-8"))  # held equal to a real server's
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}

Definition = dict[str, Any]


def inputs_of(definition: Definition) -> dict[str, Any]:
    """Inputs in the order the page lays them out."""
    order, inputs = definition["input_order"], definition["input"]
    return {name: inputs[part][name] for part in ("required", "optional") for name in order.get(part, [])}


def choices_of(spec: list[Any]) -> list[str]:
    """Fixed choices; names of files come and go."""
    options = spec[1].get("options", []) if spec[0] == "COMBO" else []
    return [] if any("nano" in option or ".safetensors" in option for option in options) else options


def in_short(definition: Definition) -> Definition:
    """What a saved graph relies on."""
    inputs = inputs_of(definition)
    return {
        "widgets": [name for name, spec in inputs.items() if spec[0] in WIDGETS],
        "sockets": {name: spec[0] for name, spec in inputs.items() if spec[0] not in WIDGETS},
        "choices": {name: choices_of(spec) for name, spec in inputs.items() if choices_of(spec)},
        "outputs": definition["output"],
    }


def ours() -> set[str]:
    """The snapshot holds ComfyUI's own Z-Image nodes, too."""
    return {name for name, each in TODAY.items() if each["category"].startswith("Z-Image/")}


@pytest.fixture(scope="module")
def record(request) -> dict[str, Definition]:
    first = json.loads(RECORD.read_text("utf-8"))
    if request.config.getoption("--update-snapshots"):
        first = {name: in_short(TODAY[name]) for name in ours()} | first
        RECORD.write_text(json.dumps(first, indent=1, sort_keys=True) + "\n", "utf-8")
    return first


@pytest.fixture(scope="module")
def renamed() -> set[str]:
    """Old ids with a rule; ComfyUI must be there to read it, so the file is only looked at."""
    source = (REPOSITORY / "nodes/migration.py").read_text("utf-8")
    return {part.partition('"')[2].partition('"')[0] for part in source.split("old_node_id=")[1:]}


def test_every_node_there_ever_was_is_there_or_renamed(record, renamed):
    assert record.keys() <= TODAY.keys() | renamed


def test_every_node_is_on_record(record):
    assert ours() <= record.keys(), "accept new nodes with --update-snapshots"


def test_widgets_stand_where_saved_values_look_for_them(record):
    """Saved graphs list values by position: new widgets come after the old ones."""
    for name in record.keys() & TODAY.keys():
        before, now = record[name]["widgets"], in_short(TODAY[name])["widgets"]
        assert now[: len(before)] == before, name


def test_what_came_later_may_be_missing(record):
    """A graph in API form names its inputs; those it cannot know must be optional."""
    for name in record.keys() & TODAY.keys():
        known = {*record[name]["widgets"], *record[name]["sockets"]}
        assert TODAY[name]["input"].get("required", {}).keys() <= known, name


def test_sockets_and_outputs_keep_name_type_and_place(record):
    for name in record.keys() & TODAY.keys():
        now = in_short(TODAY[name])
        assert now["sockets"].items() >= record[name]["sockets"].items(), name
        assert now["outputs"][: len(record[name]["outputs"])] == record[name]["outputs"], name


def test_every_choice_can_still_be_chosen(record):
    for name in record.keys() & TODAY.keys():
        for widget, options in record[name]["choices"].items():
            assert set(options) <= set(in_short(TODAY[name])["choices"][widget]), f"{name}.{widget}"
