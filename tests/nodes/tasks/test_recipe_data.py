"""What Z-Image Train learns beside its sockets: the folders that a recipe names."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image


@pytest.fixture
def canvas(pack, monkeypatch, tmp_path):
    """The node's code, and a function that makes a folder of pictures inside the input folder."""
    import folder_paths

    for name in ("input", "temp", "output"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(folder_paths, f"get_{name}_directory", lambda name=name: str(tmp_path / name))
    root = pack.entry.__name__
    training = f"{root}.nodes.bridge.tasks.training"
    learned, dataset, sockets, recipe, run = (
        importlib.import_module(f"{training}.{name}") for name in ("learned", "dataset", "sockets", "recipe", "run")
    )
    recipes = importlib.import_module(f"{root}.zimage_core.recipes")

    def written(name, n):
        folder = tmp_path / "input" / name
        folder.mkdir()
        for index in range(n):
            Image.new("RGB", (32, 32), (index, 0, 0)).save(folder / f"{index}.png")
            (folder / f"{index}.txt").write_text(f"{name} {index}")
        return dataset.read(name, "", 32)

    def read(first, keys, kept=None):
        config = recipes.FullConfig(model="of the socket", out=Path("x"), **keys)
        return learned.learned_of(sockets.Sockets(None, None, None, first, kept), config)

    def stages(text, first):
        (tmp_path / "input" / "own.toml").write_text(text)
        choices = recipe.RecipeChoices(
            recipe="own.toml", name="x", training_steps=0, training_adapter="none", accept_losing_8_steps=False
        )
        return recipe.stages_of(sockets.Sockets(None, None, None, first, None), choices)

    return SimpleNamespace(written=written, read=read, stages=stages, learned_by=run.learned_by, Source=recipes.Source)


def test_a_recipes_regularization_is_kept_unless_a_socket_says_what_is(canvas):
    first, own = canvas.written("first", 3), canvas.written("own", 2)
    keys = {"data": Path("of the socket"), "regularization": Path("nano:scenes")}
    found = canvas.read(first, keys)
    assert [len(each) for _, each in found.regularization] == [120] and found.sources == [first]
    assert canvas.read(first, keys, own).regularization == [(own, own.examples)]
    plain = canvas.read(first, {"data": Path("of the socket")})
    assert plain.regularization == [] and plain.identity() != found.identity()


def test_the_dataset_stands_for_the_first_folder_of_a_mixture(canvas):
    first = canvas.written("first", 3)
    canvas.written("second", 2)
    names = ("not here", "second", "nano:edits")
    found = canvas.read(first, {"data": tuple(canvas.Source(folder=Path(name)) for name in names)})
    assert [len(each.examples) for each in found.sources] == [3, 2, 96] and found.sources[0] is first
    assert found.sources[2].examples[0].references


def test_a_recipe_may_leave_its_data_to_the_socket(canvas):
    first = canvas.written("first", 1)
    [stage] = canvas.stages('train = "full"', first)
    assert [str(each.folder) for each in stage.config.sources] == ["first"]
    [stage] = canvas.stages('train = "full"\ndata = [{folder = "a", weight = 4}, {folder = "b"}]', first)
    assert [(str(each.folder), each.weight) for each in stage.config.sources] == [("a", 4), ("b", 1)]


def test_a_recipe_cannot_lead_out_of_the_input_folder(canvas):
    first = canvas.written("first", 1)
    with pytest.raises(ValueError, match="lies outside ComfyUI's input folder"):
        canvas.read(first, {"data": Path("x"), "regularization": Path("../temp")})


def test_what_changes_memory_or_pictures_alone_is_the_same_run(canvas):
    text = 'train = "lora"\nbatch = 2\n'
    first = canvas.written("first", 2)

    def learned_by(more):
        [stage] = canvas.stages(text + more, first)
        return canvas.learned_by(stage.config)

    memory = "token_budget = 64\nstream = 2\nkeep_activations = true\nkeep = 3\ncompile = true\n"
    assert learned_by(memory + 'previews = ["a fox"]\npreview_every = 5') == learned_by("")
    assert learned_by("caption_dropout = 0.5") != learned_by("")
