"""What ComfyUI is told of an exception: a built-in class, the sentence, and where it was raised."""

import asyncio
import traceback

import pytest


@pytest.fixture(scope="module")
def nodes(pack):
    extension = asyncio.run(pack.entry.comfy_entrypoint())
    return {node.__name__: node for node in asyncio.run(extension.get_node_list())}


def test_a_wrong_file_is_refused_in_the_same_words_by_a_class_without_a_path(pack, nodes, tmp_path, monkeypatch):
    file = tmp_path / "broken.safetensors"
    file.write_bytes(b"{}")
    monkeypatch.setattr(pack.bridge_files, "path_of", lambda network, name: str(file))
    with pytest.raises(ValueError) as inner:  # noqa: PT011 - compared below
        pack.bridge_model.load_model(str(file))
    with pytest.raises(ValueError) as outer:  # noqa: PT011 - compared below
        nodes["ZImageModelLoader"].execute(model_name=file.name, precision="automatic")
    assert type(inner.value).__name__ == "CheckpointError" and type(outer.value) is ValueError
    assert str(outer.value) == str(inner.value) and str(tmp_path) not in str(outer.value)
    frames = traceback.extract_tb(outer.value.__traceback__)
    assert frames[-1] == traceback.extract_tb(inner.value.__traceback__)[-1]


def test_other_exceptions_pass_as_they_are(pack, nodes, monkeypatch):
    def run_out(*args):
        raise MemoryError("no memory")

    monkeypatch.setattr(pack.bridge_files, "path_of", run_out)
    with pytest.raises(MemoryError, match="^no memory$"):
        nodes["ZImageModelLoader"].execute(model_name="any", precision="automatic")
