"""Recipes: a file, the command line and a node make the same config, and what is wrong is named by its key."""

import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from paths import REPOSITORY
from zimage_core.cli import main
from zimage_core.recipes import FullConfig, LoraConfig, Source, read_recipe
from zimage_core.recipes.training_config import KINDS
from zimage_core.training.settings import flow_matching_of, recipe_of

RECIPES = [file for file in sorted((REPOSITORY / "recipes").glob("**/*.toml")) if "train = " in file.read_text("utf-8")]
MINIMAL = 'model = "nano"\ndata = "pictures"\nout = "x.safetensors"\n'


def written(folder, text):
    file = folder / "recipe.toml"
    file.write_text(text, "utf-8")
    return file


def test_every_key_is_an_option_and_the_other_way_round(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    told = capsys.readouterr().out
    named = {"--help", *re.findall(r"^ +(--[a-z0-9-]+)", told, re.MULTILINE)}
    keys = {f"--{each.name.replace('_', '-')}" for kind in KINDS.values() for each in fields(kind)}
    assert named == keys | {"--help", "--resume", "--json"}


def test_stages_take_what_they_do_not_change_from_above_and_the_command_line_wins(tmp_path):
    file = written(
        tmp_path, f'train = "full"\n{MINIMAL}lr = 1\n[[stage]]\nside = 32\n[[stage]]\nname = "b"\nlr = 2.5\n'
    )
    first, second = read_recipe(file, {"batch": 3})
    assert (first.name, first.config.side, first.config.lr, first.config.batch) == ("1", 32, 1.0, 3)
    assert (second.name, second.config.side, second.config.lr, second.config.batch) == ("b", None, 2.5, 3)


def test_several_folders_have_weights_and_a_stage_may_have_its_own(tmp_path):
    tables = '[{folder = "a", weight = 4}, {folder = "b", shift = "dynamic"}]'
    text = MINIMAL.replace('"pictures"', tables)
    file = written(tmp_path, f'train = "full"\n{text}[[stage]]\n[[stage]]\nname = "b"\ndata = "c"\n')
    first, second = (each.config.sources for each in read_recipe(file, {}))
    assert [(str(each.folder), each.weight, each.shift) for each in first] == [("a", 4.0, None), ("b", 1.0, "dynamic")]
    assert [(str(each.folder), each.weight) for each in second] == [("c", 1.0)]
    assert read_recipe(file, {"data": Path("d")})[0].config.sources == (Source(folder=Path("d")),)


def with_data(data):
    return f'train = "lora"\nmodel = "nano"\nout = "x"\ndata = {data}'


WRONG = [
    (with_data("[]"), "data: it lists no folder"),
    (with_data('["a"]'), "data: 'a' is no table such as {folder"),
    (with_data("[{weight = 1}]"), "data: a table lacks the key folder"),
    (with_data('[{folder = "a", wieght = 1}]'), "data: there is no key wieght in a table of folders; there are folder"),
    (with_data('[{folder = "a", weight = 0}]'), "data: weight: 0 is not a number above 0"),
    ("", "train has to be 'lora' or 'full'"),
    ('train = "lora"\ndata = "x"\nout = "x"\n', "the key model is missing"),
    (f'train = "lora"\n{MINIMAL}stepz = 3', "there is no key stepz where lora is trained; steps is meant?"),
    (f'train = "full"\n{MINIMAL}rank = 3', "there is no key rank where full is trained"),
    (f'train = "lora"\n{MINIMAL}steps = 3.5', "steps: 3.5 is not a whole number from 1"),
    (f'train = "lora"\n{MINIMAL}steps = true', "steps: True is not a whole number"),
    (f'train = "lora"\n{MINIMAL}lr = "fast"', "lr: 'fast' is not a number above 0"),
    (f'train = "lora"\n{MINIMAL}lr = nan', "lr: nan is not a number above 0"),
    (f'train = "lora"\n{MINIMAL}shift = "much"', "or dynamic"),
    (f'train = "lora"\n{MINIMAL}levels = "none"', "levels: 'none' is none of logit-normal, uniform"),
    (f'train = "lora"\n{MINIMAL}previews = "a fox"', "previews: 'a fox' is not a list of texts"),
    (f'train = "lora"\n{MINIMAL}accept_losing_8_steps = 1', "accept_losing_8_steps: 1 is neither true nor false"),
    (f'train = "lora"\n{MINIMAL}[[stage]]\nrank = 3', "rank holds for all stages"),
    (f'train = "lora"\n{MINIMAL}[stage]\nlr = 3', "stage is no list of tables"),
    (f'train = "lora"\n{MINIMAL}[[stage]]\nname = "../a"', "name of a stage has to be letters"),
    (f'train = "lora"\n{MINIMAL}[[stage]]\nname = "a"\n[[stage]]\nname = "a"', "two stages are called 'a'"),
    ("train = lora", "it is no TOML"),
]


@pytest.mark.parametrize("text, told", WRONG)
def test_what_is_wrong_is_one_sentence_that_names_the_key(tmp_path, capsys, text, told):
    file = written(tmp_path, text)
    assert main(["train", str(file)]) == 1
    sentence = capsys.readouterr().err
    assert sentence.startswith(f"zimage: {file}: ") and told in sentence and sentence.count("\n") == 1


def test_a_file_that_is_not_there_is_told(tmp_path, capsys):
    assert main(["train", str(tmp_path / "gone.toml")]) == 1
    assert "gone.toml: there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_shipped_recipe_is_valid_and_trains_the_built_in_model(file):
    for stage in read_recipe(file, {}):
        assert stage.config.model == "nano" and not stage.config.out.is_absolute()
        recipe = recipe_of(stage.config, 20)
        assert recipe.steps == stage.config.steps and recipe.lr == stage.config.lr
        assert flow_matching_of(stage.config).batch == stage.config.batch


def test_what_is_not_said_is_as_the_published_advice_has_it():
    """Adapters: rank 32 = alpha 32, 1e-4, logit-normal, 5 % dropout, AdamW (0.9, 0.99) with decay 0.01, norm 1."""
    config = LoraConfig(model="nano", data=Path("x"), out=Path("y"))
    recipe, step_of = recipe_of(config, 20), flow_matching_of(config)
    assert (config.rank, config.alpha, step_of.caption_dropout, step_of.batch) == (32, None, 0.05, 1)
    assert asdict(step_of.levels) | {"shift": 1.0, "weighting": "none"} == asdict(step_of.levels)
    assert (recipe.steps, recipe.lr, recipe.betas, recipe.weight_decay, recipe.clip) == (
        2000,
        1e-4,
        (0.9, 0.99),
        0.01,
        1,
    )
    assert [recipe_of(config, n).steps for n in (1, 1000)] == [500, 3000]
    assert FullConfig(model="nano", data=Path("x"), out=Path("y")).lr == 1e-5
