"""Every number of every node is checked: NaN passes ComfyUI's own limits."""

import asyncio

import pytest

from zimage_core.sampling import shifted_schedule


@pytest.fixture(scope="module")
def nodes(pack):
    extension = asyncio.run(pack.entry.comfy_entrypoint())
    return [asyncio.run(extension.get_node_list()) for _ in range(2)][-1]  # ComfyUI may ask again


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_number_of_any_node_may_be_nan_or_infinite(nodes, value):
    from comfy_api.latest import io

    numbers = [
        (node, widget.id)
        for node in nodes
        for widget in node.define_schema().inputs
        if isinstance(widget, (io.Float.Input, io.Int.Input))
    ]
    assert len(nodes) > 20 and len(numbers) > 40
    for node, name in numbers:
        with pytest.raises(ValueError, match=f"^{name} is {value}, not a finite number"):
            node.execute(**{name: value})


def test_other_values_pass_as_they_are(nodes):
    sigmas = next(node for node in nodes if node.__name__ == "ZImageSigmas")
    found = [sigmas.execute(8, 3.0, 1.0), sigmas.execute(steps=8, shift=3.0, strength=1.0)]
    assert all(each.result[0].equal(shifted_schedule(8, 3.0)) for each in found)


def test_leftovers_of_a_killed_process_go_when_comfyui_starts(pack, tmp_path, monkeypatch):
    import folder_paths

    monkeypatch.setattr(folder_paths, "output_directory", str(tmp_path))
    (tmp_path / "loras").mkdir()
    leftovers = [folder / f".zimage-{'0' * 16}.part" for folder in (tmp_path, tmp_path / "loras")]
    for file in (*leftovers, tmp_path / "mine.png"):
        file.write_bytes(b"half")
    asyncio.run(asyncio.run(pack.entry.comfy_entrypoint()).on_load())
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["loras", "mine.png"]
