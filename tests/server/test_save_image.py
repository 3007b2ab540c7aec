"""Z-Image Save Image on a real server: the file of Save Image, and beside it what CivitAI and A1111 read."""

import hashlib
import json
import re

import torch
from PIL import Image
from safetensors.torch import save_file

from prompt_graphs import encode, ksampler, node, text_to_image, turbo
from zimage_core.config import NANO_DIT

PROMPT = "a large red circle: 大, 红"


def saved(prompt, prefix="ours", images="decode", **changes):
    """The graph with our node in place of Save Image."""
    inputs = {"images": [images, 0], "filename_prefix": prefix, "parameters": True, **changes}
    return {**prompt, "save": node("ZImageSaveImage", **inputs)}


def picture(run, prompt):
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    return Image.open(outcome.files[0])


def test_the_file_is_that_of_save_image_with_one_text_more(run):
    both = saved(text_to_image(PROMPT, seed=7), "both/%width%x%height%")
    both["stock"] = node("SaveImage", images=["decode", 0], filename_prefix="both/stock")
    outcome = run(both)
    assert outcome.error is None, outcome.error
    ours, stock = sorted(outcome.files, key=lambda file: "stock" in file.name)
    assert ours.name == "64x64_00001_.png" and ours.parent == stock.parent
    mine, theirs = Image.open(ours), Image.open(stock)
    assert mine.tobytes() == theirs.tobytes()
    text = dict(mine.text)
    parameters = text.pop("parameters")
    assert text == theirs.text and {"prompt", "zimage"} <= text.keys()
    prompt, line = parameters.split("\n")
    assert prompt == PROMPT
    assert re.fullmatch(
        r"Steps: 4, Sampler: Euler, CFG scale: 1, Seed: 7, Size: 64x64, Model: nano \(built in\), Shift: 3, "
        r"Version: ComfyUI [\d.]+",
        line,
    )


def test_a_batch_becomes_numbered_files_that_never_overwrite(run):
    prompt = saved(text_to_image(seed=8), "batch/n%batch_num%")
    prompt["latent"]["inputs"]["batch_size"] = 2
    assert [file.name for file in run(prompt).files] == ["n0_00001_.png", "n1_00002_.png"]
    again = saved(text_to_image(seed=9), "batch/n0")
    assert [file.name for file in run(again).files] == ["n0_00002_.png"]


def test_each_picture_of_a_batch_names_the_seed_that_draws_it_alone(run):
    prompt = saved(text_to_image(seed=20), "seeds")
    prompt["latent"]["inputs"]["batch_size"] = 2
    sampler = next(each for each in prompt.values() if each["class_type"] == "ZImageTurboSampler")
    sampler["inputs"]["seed_per_picture"] = True
    first, second = (Image.open(file) for file in run(prompt).files)
    assert [re.search(r"Seed: (\d+)", each.text["parameters"])[1] for each in (first, second)] == ["20", "21"]
    alone = picture(run, saved(text_to_image(seed=21), "alone"))
    difference = torch.frombuffer(bytearray(alone.tobytes()), dtype=torch.uint8).int() - torch.frombuffer(
        bytearray(second.tobytes()), dtype=torch.uint8
    )
    assert difference.abs().max() <= 1


def test_no_seed_is_named_where_the_graph_does_not_tell_which(run):
    prompt = saved(text_to_image(seed=20), "part")
    prompt["latent"]["inputs"]["batch_size"] = 2
    prompt["part"] = node("LatentFromBatch", samples=["latent", 0], batch_index=1, length=1)
    sampler = next(each for each in prompt.values() if each["class_type"] == "ZImageTurboSampler")
    sampler["inputs"] |= {"seed_per_picture": True, "latent": ["part", 0]}
    text = picture(run, prompt).text["parameters"]
    assert "Steps: " in text and "Seed: " not in text


def test_hashes_are_those_of_the_files(server, run):
    file = server.base / "models" / "loras" / "nano_hashed.safetensors"
    file.parent.mkdir(exist_ok=True)
    key = "diffusion_model.layers.0.attention.out"
    save_file(
        {f"{key}.lora_A.weight": torch.ones(1, NANO_DIT.dim), f"{key}.lora_B.weight": torch.zeros(NANO_DIT.dim, 1)},
        file,
    )
    rows = {f"lora_{i}": "none" for i in (2, 3, 4)} | {f"strength_{i}": 1.0 for i in (1, 2, 3, 4)}
    prompt = saved(text_to_image(seed=3))
    prompt["lora"] = node("ZImageLoraLoader", model=["model", 0], lora_1="nano_hashed.safetensors", **rows)
    prompt["sampler"]["inputs"]["model"] = ["lora", 0]
    text = picture(run, prompt).text["parameters"]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert f'Lora hashes: "nano_hashed: {digest[:10]}"' in text and "Model hash" not in text


def test_the_last_sampler_is_described_with_its_img2img_strength(run):
    prompt = saved(text_to_image("first", seed=4))
    prompt["again"] = turbo(latent=["sampler", 0], seed=44, strength=0.5)
    prompt["decode"]["inputs"]["latent"] = ["again", 0]
    text = picture(run, prompt).text["parameters"]
    assert "Seed: 44," in text and "Denoising strength: 0.5," in text


def test_the_stock_sampler_and_the_negative_prompt_are_described(run):
    prompt = saved({**text_to_image("a star"), "negative": encode("a ring"), "sampler": ksampler()})
    text = picture(run, prompt).text["parameters"]
    assert text.startswith("a star\nNegative prompt: a ring\nSteps: 4, Sampler: Euler, Schedule type: Simple, CFG")


def test_without_a_sampler_or_switched_off_no_text_is_written(run):
    empty = node("EmptyImage", width=64, height=64, batch_size=1, color=0)
    assert set(picture(run, saved({"empty": empty}, images="empty")).text) == {"prompt"}
    assert "parameters" not in picture(run, saved(text_to_image(), "off", parameters=False)).text


def test_a_name_outside_the_folder_is_refused_in_one_sentence(run):
    outcome = run(saved(text_to_image(), "../../elsewhere"))
    assert "leads out of ComfyUI's output folder" in str(outcome.error)


def test_the_graph_in_the_picture_draws_it_again(run):
    first = picture(run, saved(text_to_image(seed=12), "again"))
    prompt = json.loads(first.text["prompt"])
    run(saved(text_to_image(seed=13), "again"))  # so that no node is taken from the server's cache
    assert picture(run, prompt).tobytes() == first.tobytes()
