"""A LoRA trained on the real server, used by the stock loader and by ours; cancelled, it goes on to the same file."""

import shutil

import pytest
from PIL import Image
from safetensors import safe_open

from prompt_graphs import loaders, node, text_to_image

SETTINGS = {
    **{"name": "zorp", "training_steps": 16, "rank": 2, "learning_rate": 0.02, "seed": 3, "batch_size": 2},
    **{"trigger": "zorp", "training_adapter": "none", "accept_losing_8_steps": False, "kind": "lora"},
}


@pytest.fixture(scope="module")
def folder(server):
    """Three pictures in the input folder."""
    place = server.base / "input" / "zorps"
    place.mkdir(parents=True, exist_ok=True)
    for colour in ("red", "blue", "green"):
        Image.new("RGB", (80, 64), colour).save(place / f"{colour}.png")
        (place / f"{colour}.txt").write_text(f"a {colour} zorp")
    yield place
    shutil.rmtree(place)  # other tests compare what the nodes list


def graph(**settings):
    """Training, and a picture drawn with what was trained."""
    drawn = text_to_image("a red zorp", seed=1)
    drawn["lora"] = node("LoraModelLoader", model=["model", 0], lora=["train", 0], strength_model=1.0, bypass=False)
    drawn["sampler"]["inputs"]["model"] = ["lora", 0]
    return {
        **drawn,
        "dataset": node("ZImageDataset", folder="zorps", caption="", resolution=32),
        "train": node(
            "ZImageTrainLora",
            **{"model": ["model", 0], "clip": ["clip", 0], "vae": ["vae", 0], "dataset": ["dataset", 0]},
            **{**SETTINGS, **settings},
        ),
        "loss": node("LossGraphNode", loss=["train", 1], filename_prefix="curve"),
    }


def tensors(file):
    with safe_open(file, "pt") as opened:
        return {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118


def curve_of(server, name):
    [file] = (server.base / "output" / "zimage_training").glob(f"{name}-*/curve.jsonl")
    return file.read_text()


@pytest.mark.slow
def test_a_cancelled_training_goes_on_to_the_file_of_one_that_was_not(server, run, folder):
    steps, memory = [], []

    def interrupt_in_the_third_step(kind, data):
        if kind == "zimage.memory":
            memory.append((data["node"], data["text"].splitlines()))
        if kind == "progress" and data["node"] == "train" and data["max"] == SETTINGS["training_steps"]:
            steps.append(data["value"])
            if data["value"] == 3:
                server.post("/interrupt", {})

    loras = server.base / "output" / "loras"
    stopped = run(graph(name="stopped"), interrupt_in_the_third_step)
    assert stopped.is_interrupted and steps[0] == 1 and steps[-1] < SETTINGS["training_steps"]
    assert not (loras / "stopped.safetensors").exists()
    [(told_on, lines)] = memory
    assert told_on == "train" and lines[0].startswith("training takes ") and lines[-1].endswith(" are free")
    resumed = run(graph(name="stopped"))
    assert resumed.error is None, resumed.error
    saving = {**graph(name="whole"), "stock": node("SaveLoRA", lora=["train", 0], prefix="saved/whole")}
    whole = run(saving)
    assert whole.error is None, whole.error
    again = run(saving)
    assert again.error is None and again.executed == []  # ComfyUI's cache, which keeps the last graph's results
    found, expected = (tensors(loras / f"{name}.safetensors") for name in ("stopped", "whole"))
    [saved] = (server.base / "output" / "saved").iterdir()
    for each in (expected, tensors(saved)):
        assert found.keys() == each.keys() and all(found[key].equal(each[key]) for key in each)
    assert curve_of(server, "stopped") == curve_of(server, "whole")
    pictures = {file.name.partition("_")[0]: Image.open(file).tobytes() for file in whole.files}
    assert pictures.keys() == {"test", "ComfyUI"}  # the stock Plot Loss Graph saves under this name
    assert pictures["test"] != Image.open(run(text_to_image("a red zorp", seed=1)).files[0]).tobytes()
    other = run(graph(name="whole", rank=3))
    assert "already and was trained with other" in other.error["exception_message"]


def test_what_cannot_be_trained_is_said_on_the_node(server, run, folder):
    def message(changed):
        return run(changed).error["exception_message"]

    unchosen = graph()
    unchosen["dataset"]["inputs"]["folder"] = "none"
    assert "No folder is chosen" in message(unchosen)
    patched = graph()
    patched["train"]["inputs"]["model"] = ["lora", 0]
    patched["lora"]["inputs"]["lora"] = ["first", 0]
    patched["first"] = {**graph(name="first", training_steps=1)["train"]}
    assert "carries LoRAs" in message(patched)
    for name in ("../out", " ", "/tmp/x"):
        assert "no file name inside output/loras" in message(graph(name=name))
    (folder / "green.txt").rename(folder / "green.note")
    assert "1 of 3 pictures" in message(graph(name="uncaptioned"))
    (folder / "green.note").rename(folder / "green.txt")


RECIPE = """
train = "full"
model = "nano"
data = "of the socket"
out = "of the name"
batch = 2
lr = 1e-3
[[stage]]
name = "small"
side = 32
steps = 1
[[stage]]
name = "large"
side = 48
steps = 2
previews = ["a red zorp"]
"""


def test_a_recipe_trains_all_weights_in_stages_and_what_is_wrong_in_it_is_named(server, run, folder):
    recipe = server.base / "input" / "zorps" / "stages.toml"
    recipe.write_text(RECIPE)
    trained = graph()
    settings = {"recipe": "zorps/stages.toml", "name": "whole_zorp", "training_steps": 0}
    settings |= {"training_adapter": "none", "accept_losing_8_steps": False}
    sockets = {"model": ["model", 0], "clip": ["clip", 0], "vae": ["vae", 0], "dataset": ["dataset", 0]}
    trained["train"] = node("ZImageTrain", **sockets, **settings)
    del trained["lora"], trained["loss"]
    trained["sampler"]["inputs"]["model"] = ["train", 0]
    result = run(trained)
    assert result.error is None, result.error
    file = server.base / "output" / "diffusion_models" / "whole_zorp.safetensors"
    with safe_open(file, "pt") as opened:
        assert opened.metadata()["modelspec.title"] == "whole_zorp"
    file.unlink()  # other tests compare what the loaders list
    [state] = (server.base / "output" / "zimage_training").glob("whole_zorp-*")
    assert [len((state / name / "curve.jsonl").read_text().splitlines()) for name in ("small", "large")] == [1, 2]
    previews = sorted((state / "large" / "previews").iterdir())
    assert [(each.name, Image.open(each).size) for each in previews] == [
        ("000001-1.png", (48, 48)),
        ("000002-1.png", (48, 48)),
    ]
    recipe.write_text(RECIPE.replace("batch", "batches"))
    assert "there is no key batches where full is trained" in run(trained).error["exception_message"]


FILES = ("z_image_bf16.safetensors", "qwen_3_4b.safetensors", "ae.safetensors")  # small, without a vision branch


def edits(pictures, name, **loading):
    """A LoRA from the built-in pairs, and a picture changed with it; the vision model is connected everywhere."""
    trained = {**graph(name=name, training_steps=2, batch_size=1), **loading}
    trained["vision"] = node("ZImageVisionLoader", vision_name="nano (built in)")
    seeing = {"clip_vision": ["vision", 0]}
    pairs = {"folder": "shapes become zorps (built in)", "sources": "in the folder", "instruction": ""}
    trained["dataset"] = node("ZImageEditDataset", **pairs, resolution=64, **seeing)
    trained["source"] = node("EmptyImage", width=64, height=64, batch_size=1, color=0xFF0000)
    sockets = {"clip": ["clip", 0], "vae": ["vae", 0], "model": ["lora", 0], "images.image0": ["source", 0], **seeing}
    words = {"prompt": "replace the circle with a zorp", "negative_prompt": "", "megapixels": 1.0}
    choices = {"size_of": "first picture", "pictures": pictures, "reading": "reference"}
    trained["edit"] = node("ZImageEditEncode", **sockets, **words, **choices)
    trained["sampler"]["inputs"] |= {"positive": ["edit", 0], "latent": ["edit", 2]}
    return trained


def test_an_edit_lora_is_trained_and_used_on_a_base_by_latents_alone_too(server, run):
    for name, loading, pictures in (("seen", {}, "look at them"), ("latent", loaders(*FILES), "look at their latents")):
        result = run(edits(pictures, name, **loading))
        assert result.error is None, result.error
        assert (server.base / "output" / "loras" / f"{name}.safetensors").exists()
        [state] = (server.base / "output" / "zimage_training").glob(f"{name}-*")
        assert {Image.open(each).size for each in (state / "previews").iterdir()} == {(64, 64)}
    refused = run(edits("look at them", "latent", **loading))
    assert "set 'pictures' in Z-Image Edit Encode to 'look at their latents'" in refused.error["exception_message"]
