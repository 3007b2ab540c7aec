"""Z-Image Dataset and Edit Dataset: what they read, and what they say of pictures that are probably a mistake."""

import importlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer


@pytest.fixture
def nodes(pack, monkeypatch, tmp_path):
    """The nodes' calls, with folders of the test's own."""
    import folder_paths

    for name in ("input", "temp"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(folder_paths, f"get_{name}_directory", lambda name=name: str(tmp_path / name))
    datasets = importlib.import_module(f"{pack.entry.__name__}.nodes.datasets")

    def plain(folder="none", caption="", resolution=64, **more):
        return datasets.ZImageDataset.execute([folder], [caption], [resolution], **more).result

    def edit(folder, sources="in the folder", instruction="", resolution=64):
        return datasets.ZImageEditDataset.execute(folder, sources, instruction, resolution).result

    return SimpleNamespace(plain=plain, edit=edit, module=datasets, input=tmp_path / "input")


def draw(file, size=(64, 64), seed=0):
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(file)


def test_batches_and_lists_of_the_graph_are_learned_with_their_texts_beside_a_folder(nodes):
    draw(nodes.input / "foxes" / "fox.png")
    (nodes.input / "foxes" / "fox.txt").write_text("a fox")
    batch, single = torch.rand(2, 48, 64, 3), torch.rand(1, 64, 32, 3)
    texts = ["one", "two", "three"]
    dataset, report = nodes.plain(images=[batch, single], captions=texts)
    assert [each.captions for each in dataset.examples] == [("one",), ("two",), ("three",)]
    for example, image in zip(dataset.examples, [*batch, *single], strict=True):
        assert np.array_equal(np.asarray(Image.open(example.picture)), (image * 255).byte().numpy())
    assert "3 pictures, 3 captions of 1 to 1 words" in report and "32x64: 1" in report
    both, _ = nodes.plain("foxes", images=[batch, single], captions=["all"])
    assert [each.captions[0] for each in both.examples] == ["a fox", "all", "all", "all"]
    assert both.identity() != dataset.identity() == nodes.plain(images=[batch, single], captions=texts)[0].identity()


def test_what_cannot_be_read_is_one_sentence(nodes):
    def said(call, *values, **more):
        with pytest.raises(ValueError) as error:
            call(*values, **more)
        return str(error.value)

    (nodes.input / "foxes").mkdir()
    draw(nodes.input / "foxes" / "fox.png")
    assert "No folder is chosen" in said(nodes.plain)
    assert "2 captions are connected for 1 pictures" in said(
        nodes.plain, images=[torch.rand(1, 32, 32, 3)], captions=["a", "b"]
    )
    assert "No folder of pairs is chosen" in said(nodes.edit, "none")
    assert "holds no pairs, as no picture is named as a target" in said(nodes.edit, "foxes")
    assert "lies outside" in said(nodes.edit, "foxes", "../..")
    assert "1 of 1 pictures in" in said(nodes.plain, "foxes")


def test_a_report_tells_tokens_masks_repeats_and_what_stands_twice(nodes, comfy):
    folder = nodes.input / "set" / "3_fox"
    for name, seed in (("a", 1), ("b", 2), ("c", 1)):
        draw(folder / f"{name}.png", seed=seed)
    Image.new("L", (64, 64), 255).save(folder / "a.mask.png")
    words = {"a": "a fox", "b": "word " * 600, "c": "a fox in the snow"}
    for name, text in words.items():
        (folder / f"{name}.txt").write_text(text)
    report = nodes.plain("set")[1]
    vocabulary = comfy.__path__[0] + "/text_encoders/qwen25_tokenizer"
    tokenizer = AutoTokenizer.from_pretrained(vocabulary)
    turn = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    low, middle, high = sorted(len(tokenizer(turn.format(text.strip()))["input_ids"]) for text in words.values())
    assert f"Tokens: {low} to {high}, {middle} in the middle" in report
    assert "the end is not read: b.png" in report and "Twice or more: a.png = c.png" in report
    assert "With a mask: 1" in report and "In each epoch, with repeats: 9" in report


def test_pairs_that_look_wrong_are_named(nodes):
    folder = nodes.input / "edits"
    sizes = {"good": (64, 64), "wide": (64, 32), "same": (64, 64)}
    for seed, (name, size) in enumerate(sizes.items()):
        draw(folder / "target" / f"{name}.png", seed=seed)
        draw(folder / "source" / f"{name}.png", size, seed if name == "same" else 9 + seed)
    report = nodes.edit("edits", instruction="make it red")[1]
    assert "3 pairs, 3 instructions of 3 to 3 words" in report
    assert "has the size of the one after: wide.png" in report and "are the same picture: same.png" in report
    assert "edits" in nodes.module.pairs.folders() and "edits/target" in nodes.module.pairs.source_folders()
    two = nodes.edit("edits/target", "edits/source", "make it red")[0]
    assert [each.references[0].parent.name for each in two.examples] == ["source"] * 3
    before = nodes.module.ZImageEditDataset.fingerprint_inputs("edits", "in the folder")
    draw(folder / "source" / "good.png", (96, 64))
    assert nodes.module.ZImageEditDataset.fingerprint_inputs("edits", "in the folder") != before


def test_the_node_as_it_is_dropped_works_and_every_pair_of_it_is_right(nodes):
    defaults = {each.id: each.default for each in nodes.module.ZImageEditDataset.define_schema().inputs[:4]}
    dataset, report = nodes.module.ZImageEditDataset.execute(**defaults).result
    assert len(dataset.examples) == 20 and "64x64: 20" in report
    assert len(report.splitlines()) == 3  # nothing looks wrong


def test_a_list_with_weights_is_learned_as_they_say_also_beside_a_folder(nodes):
    for name in ("a", "b"):
        draw(nodes.input / "foxes" / f"{name}.png")
    draw(nodes.input / "more" / "c.png")
    (nodes.input / "more" / "c.txt").write_text("c")
    rows = [{"file_name": f"foxes/{name}.png", "text": name, "weight": weight} for name, weight in (("a", 2), ("b", 5))]
    file = nodes.input / "chosen.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert "chosen.jsonl" in nodes.module.datasets.folders()
    picked, told = nodes.plain("chosen.jsonl")
    connected, _ = nodes.plain(manifest=[str(file)])
    assert picked.identity() == connected.identity() and "2 pictures" in told
    joined, _ = nodes.plain("more", manifest=["chosen.jsonl"])
    c, a, b = (each.repeats for each in joined.examples)
    assert (a / c, b / c) == (2, 5)
    before = nodes.module.datasets.state("chosen.jsonl")
    file.write_text('{"file_name": "foxes/a.png"}\n')
    assert nodes.module.datasets.state("chosen.jsonl") != before
    with pytest.raises(ValueError, match="chosen.jsonl, line 1, says nothing of"):
        nodes.plain("chosen.jsonl")
    for outside in ("../chosen.jsonl", str(nodes.input / "foxes" / "a.png"), "", "gone.jsonl"):
        with pytest.raises(ValueError, match="There is no manifest"):
            nodes.plain(manifest=[outside])
