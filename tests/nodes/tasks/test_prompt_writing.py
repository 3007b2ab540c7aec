"""Z-Image Prompt beside a user's files, and what is recorded of it in a picture."""

import importlib
import json
import re
from types import SimpleNamespace

import pytest
from scripts import NODE, evaluate


@pytest.fixture
def modules(pack):
    def load(name):
        return importlib.import_module(f"{pack.entry.__name__}.nodes.{name}")

    return SimpleNamespace(
        files=load("bridge.loading.prompt_files"),
        asked=load("bridge.page.asked"),
        node=load("prompt").ZImagePrompt,
    )


@pytest.fixture
def user(modules, tmp_path, monkeypatch):
    """The user's folder, empty; models/wildcards beside it."""
    paths = modules.files.folder_paths
    monkeypatch.setattr(paths, "get_user_directory", lambda: str(tmp_path / "user"))
    monkeypatch.setattr(paths, "models_dir", str(tmp_path / "models"))
    (tmp_path / "user/zimage/wildcards").mkdir(parents=True)
    (tmp_path / "models/wildcards/animals").mkdir(parents=True)
    return tmp_path / "user/zimage"


def written(modules, text, style="none", seed=0):
    return modules.node.execute(text, style, seed).result[0]


def options(modules):
    return next(each for each in modules.node.define_schema().inputs if each.id == "style").options


def test_a_wildcard_is_a_line_of_the_users_file(modules, user):
    (user / "wildcards/颜色.txt").write_text("\ufeff# colours\n\n red \r\n", "utf-8")
    models = user.parents[1] / "models/wildcards"
    (models / "animals/big_birds.txt").write_text("an ostrich\n", "utf-8")
    (models / "颜色.txt").write_text("of the models folder\n", "utf-8")
    assert written(modules, "__animals/big_birds__ in __颜色__") == "an ostrich in red"


def test_a_missing_file_is_named_with_those_that_are_there_and_no_path_of_the_server(modules, user):
    with pytest.raises(ValueError, match="hold no .txt file yet") as error:
        written(modules, "__hair__")
    for name in ("b", "a", "not.a.name"):
        (user / f"wildcards/{name}.txt").write_text("x", "utf-8")
    with pytest.raises(ValueError, match="no wildcard file hair.txt: in user/zimage/wildcards .* there are a, b[.]$"):
        written(modules, "__hair__")
    assert str(user.parent) not in str(error.value)


@pytest.mark.skipif(NODE is None, reason="no Node here; Debian's package nodejs brings it")
def test_the_page_says_every_mistake_in_chinese(modules, user):
    (user / "wildcards/loop.txt").write_text("__loop__", "utf-8")
    (user / "wildcards/open.txt").write_text("{red", "utf-8")
    texts = ("a {red|blue fox", "a fox}", "{3$$red|blue}", "{0::red|0::blue}", "__none__", "__loop__", "__open__")
    told = []
    for text, style in (*((text, "none") for text in texts), ("a fox", "oil")):
        with pytest.raises(ValueError) as error:
            written(modules, text, style)
        told.append(str(error.value))
    names = {"none", "open", "red", "loop", "oil", "txt", "user", "zimage", "models", "wildcards"}
    for sentence in evaluate("runs/translation", f"{json.dumps(told)}.map((each) => it.errorText(each, 'zh'))"):
        assert not set(re.findall(r"[A-Za-z]{3,}", sentence)) - names, sentence


@pytest.mark.parametrize("name", ["../secret", "..", "/etc/passwd", "animals/../../secret", "C:\\secret", "secret.txt"])
def test_no_name_leads_out_of_the_folder(modules, user, name):
    (user / "secret.txt").write_text("secret", "utf-8")
    (user.parent / "secret.txt").write_text("secret", "utf-8")
    assert written(modules, f"__{name}__") == f"__{name}__"  # no wildcard at all
    with pytest.raises(ValueError, match="no wildcard file"):
        modules.files.wildcard_lines(name)


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "holds no line"), (b"# x\n", "holds no line"), (b"\xff\xfe", "not UTF-8")]
)
def test_a_file_without_a_line_to_read_is_said(modules, user, content, said):
    (user / "wildcards/x.txt").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        written(modules, "__x__")


def test_own_styles_come_first_and_a_file_that_cannot_be_read_hides_no_other(modules, user):
    built_in = options(modules)[1:]
    (user / "styles.csv").write_text("name,prompt,negative_prompt\nmine,In my style.,bad\n", "utf-8")
    assert options(modules) == ["none", "mine", *built_in]
    assert written(modules, "a fox", "mine") == "a fox. In my style."
    (user / "styles.csv").write_text("name;prompt\nmine;x\n", "utf-8")
    assert options(modules) == ["none", *built_in]
    with pytest.raises(ValueError, match="user/zimage/styles.csv cannot be read: .*name and prompt"):
        written(modules, "a fox", "mine")


def test_a_style_that_is_gone_is_said(modules, user):
    with pytest.raises(ValueError, match="no style called mine"):
        written(modules, "a fox", "mine")


def test_the_node_runs_again_when_a_file_changes_and_reports_only_what_it_decided(modules, user):
    def state():
        return modules.node.fingerprint_inputs(text="__x__", style="none", seed=1)

    before = state()
    (user / "wildcards/x.txt").write_text("a", "utf-8")
    assert state() == state() != before
    assert modules.node.execute("plain words", "none", 3).ui is None
    assert modules.node.execute("{a|a}", "none", 3).ui == {"text": ["a"]}


GRAPH = {
    "sampler": {"class_type": "ZImageTurboSampler", "inputs": {"positive": ["encode", 0]}},
    "encode": {"class_type": "ZImageTextEncode", "inputs": {"clip": ["clip", 0], "prompt": ["reroute", 0]}},
    "reroute": {"class_type": "Reroute", "inputs": {"value": ["prompt", 0]}},
    "prompt": {"class_type": "ZImagePrompt", "inputs": {"text": "a {red|blue} fox", "style": "none", "seed": ["s", 0]}},
    "s": {"class_type": "PrimitiveInt", "inputs": {"value": 1}},
}


def recorded(modules, **inputs):
    graph = json.loads(json.dumps(GRAPH))
    graph["prompt"]["inputs"].update(inputs)
    return modules.asked.texts_of(graph, "sampler")


@pytest.mark.parametrize("seed", range(8))
def test_what_is_recorded_is_what_the_node_wrote(modules, user, seed):
    for style in options(modules)[:3]:
        told = written(modules, "a {red|blue} fox", style, seed)
        assert recorded(modules, seed=seed, style=style) == {"prompt": told}
    assert recorded(modules) == {"prompt": "a red fox"}  # random.Random(1) begins with 0.1344


@pytest.mark.parametrize(
    "inputs",
    [
        *({"text": text} for text in ("{a|b", "__gone__", ["other", 0], ["prompt", 0], None, 3)),
        *({"seed": seed} for seed in (None, "x", [], float("nan"), float("inf"))),
        *({"style": style} for style in ("gone", None, [1])),
    ],
)
def test_what_only_running_tells_is_left_out_and_stops_nothing(modules, user, inputs):
    assert recorded(modules, **inputs) == {}
