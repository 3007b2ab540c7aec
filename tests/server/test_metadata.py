"""A saved picture records which lossy options were on, because ComfyUI stores the prompt graph in the file."""

import asyncio
import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from prompt_graphs import encode, ksampler, node, text_to_image
from tools.comfyui import running_server
from tools.workflows import execute
from zimage_core.config import NANO_DIT

LEVERS = {"cfg_normalization": 1.0, "cfg_truncation": 0.6, "cfg_start": 0.05}
CACHE = {"threshold": 0.1, "start_percent": 0.15, "end_percent": 0.95, "max_skips": 3}


def lossy():
    """The built-in model with Base settings, a step cache and guidance in an interval."""
    prompt = text_to_image("a small blue star at the top left on a yellow background")
    prompt["negative"] = encode("")
    prompt["cached"] = node("ZImageStepCache", model=["model", 0], **CACHE)
    prompt["sampler"] = node(
        "ZImageSampler",
        model=["cached", 0],
        positive=["positive", 0],
        negative=["negative", 0],
        latent=["latent", 0],
        seed=5,
        steps=28,
        cfg=4.0,
        solver="res_multistep",
        shift=6.0,
        strength=1.0,
        **LEVERS,
    )
    prompt["show"] = node("PreviewAny", source=["sampler", 1])
    return prompt


def graph_in(file):
    """The prompt graph stored in a PNG."""
    return json.loads(Image.open(file).text["prompt"])


@pytest.fixture
def drawn(run):
    """The picture, and the evaluations its sampler reported."""
    told = []

    def listen(kind, data):
        if kind == "executed" and data["node"] == "show":
            told.append(int(data["output"]["text"][0]))

    outcome = run({**lossy(), "save": save("lossy")}, listen)
    assert outcome.error is None, outcome.error
    return outcome.files[0], told[0]


def save(prefix):
    return node("SaveImage", images=["decode", 0], filename_prefix=prefix)


def test_every_lossy_option_that_was_on_is_in_the_picture(drawn):
    file, evaluations = drawn
    inputs = {each["class_type"]: each["inputs"] for each in graph_in(file).values()}
    assert inputs["ZImageStepCache"].items() >= CACHE.items()
    assert inputs["ZImageSampler"].items() >= LEVERS.items()
    assert evaluations < 47  # 28 + 19 guided, minus the skipped ones


def test_a_picture_without_lossy_options_names_none(run):
    outcome = run({**text_to_image(seed=91), "save": save("plain")})
    graph = graph_in(outcome.files[0])
    assert "ZImageStepCache" not in {each["class_type"] for each in graph.values()}
    assert not LEVERS.keys() & {name for each in graph.values() for name in each["inputs"]}


def test_an_option_set_by_another_node_is_there_with_its_value(run):
    prompt = {**lossy(), "value": node("PrimitiveFloat", value=0.07), "save": save("linked")}
    prompt["cached"]["inputs"]["threshold"] = ["value", 0]
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    graph = graph_in(outcome.files[0])
    link, _ = graph["cached"]["inputs"]["threshold"]
    assert graph[link]["inputs"]["value"] == 0.07


def test_the_graph_in_the_picture_draws_it_again(drawn, run):
    file, _ = drawn
    again = graph_in(file)
    again["save"] = save("again")
    again["sampler"]["inputs"]["seed"] = 6  # another seed first, so that no node is taken from the server's cache
    run(again)
    again["sampler"]["inputs"]["seed"] = 5
    outcome = run(again)
    assert "sampler" in outcome.executed
    assert Image.open(outcome.files[0]).tobytes() == Image.open(file).tobytes()


def facts_in(file):
    """The facts stored beside the prompt graph, one entry per sampler."""
    return json.loads(Image.open(file).text["zimage"])


def test_facts_are_stored_beside_the_prompt_graph(drawn):
    file, _ = drawn
    [facts] = facts_in(file)
    assert facts["model"] == facts["text_encoder"] == "nano (built in)"
    assert facts["numbers"] == "bfloat16 (92%), float8_e4m3fn (8%)"
    assert facts["prompt"] == "a small blue star at the top left on a yellow background" and "negative" not in facts
    assert (facts["width"], facts["height"]) == Image.open(file).size
    assert (facts["seed"], facts["steps"], facts["cfg"], facts["shift"]) == (5, 28, 4.0, 6.0)
    assert (facts["solver"], facts["strength"], facts["evaluations"]) == ("res_multistep", 1.0, 28 + 19)
    assert len(facts["lossy"]) == 3  # the step cache, where guidance starts, where it ends


@pytest.mark.parametrize(
    ("solver", "strength", "cfg", "start"),
    [("euler", 1.0, 1.0, 0.0), ("heun", 0.6, 3.0, 0.0), ("res_multistep", 1.0, 4.0, 0.1), ("euler", 0.0, 2.0, 0.0)],
)
def test_the_evaluations_stored_are_those_the_network_made(run, solver, strength, cfg, start):
    prompt, made = lossy(), []
    changes = {"solver": solver, "strength": strength, "cfg": cfg, "cfg_start": start, "steps": 7}
    prompt["sampler"]["inputs"] |= {**changes, "cfg_truncation": 1.0, "model": ["model", 0]}
    outcome = run(
        {**prompt, "save": save("counted")},
        lambda kind, data: (
            made.append(int(data["output"]["text"][0])) if kind == "executed" and data["node"] == "show" else None
        ),
    )
    assert [facts_in(outcome.files[0])[0]["evaluations"]] == made


def test_a_picture_from_the_servers_cache_has_the_same_facts(run):
    prompt = {**text_to_image(seed=17), "save": save("first")}
    first = run(prompt)
    again = run({**prompt, "save": save("second")})
    assert "sampler" in again.cached and "sampler" not in again.executed
    assert facts_in(again.files[0]) == facts_in(first.files[0])


def test_loras_are_stored_with_the_strength_of_a_linked_number(server, run):
    write_lora(server.base / "models" / "loras" / "nano_style.safetensors")
    prompt = text_to_image(seed=3)
    prompt["number"] = node("PrimitiveFloat", value=0.75)
    rows = {f"lora_{i}": "none" for i in (2, 3, 4)} | {f"strength_{i}": 1.0 for i in (2, 3, 4)}
    prompt["lora"] = node(
        "ZImageLoraLoader", model=["model", 0], lora_1="nano_style.safetensors", strength_1=["number", 0], **rows
    )
    prompt["sampler"]["inputs"]["model"] = ["lora", 0]
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    assert facts_in(outcome.files[0])[0]["loras"] == [{"file": "nano_style.safetensors", "strength": 0.75}]


def test_the_loras_of_a_list_are_stored_and_it_draws_what_the_loader_draws(server, run):
    write_lora(server.base / "models" / "loras" / "nano_style.safetensors")
    rows = {f"lora_{i}": "none" for i in (2, 3, 4)} | {f"strength_{i}": 1.0 for i in (2, 3, 4)}
    outcomes = []
    for lora in (
        node("ZImageLoraList", model=["model", 0], loras="# off.safetensors\nnano_style.safetensors : 0.75"),
        node("ZImageLoraLoader", model=["model", 0], lora_1="nano_style.safetensors", strength_1=0.75, **rows),
    ):
        prompt = text_to_image(seed=3) | {"lora": lora}
        prompt["sampler"]["inputs"]["model"] = ["lora", 0]
        outcomes.append(run(prompt))
        assert outcomes[-1].error is None, outcomes[-1].error
    listed, loaded = (facts_in(outcome.files[0])[0] for outcome in outcomes)
    assert listed["loras"] == loaded["loras"] == [{"file": "nano_style.safetensors", "strength": 0.75}]
    one, other = (Image.open(outcome.files[0]).tobytes() for outcome in outcomes)
    assert one == other


def test_a_lora_that_varies_under_a_limit_is_stored_so_and_a_wrong_line_stops_before_the_run(server, run):
    write_lora(server.base / "models" / "loras" / "nano_style.safetensors")
    written = "0.75 @ 0.5-1 blocks 0=0.5"

    def prompt(name):
        lora = node("ZImageLoraList", model=["model", 0], loras=f"{name} : {written}", most_change=1.0)
        graph = text_to_image(seed=3) | {"lora": lora}
        graph["sampler"]["inputs"]["model"] = ["lora", 0]
        return graph

    outcome = run(prompt("nano_style.safetensors"))
    assert outcome.error is None, outcome.error
    [lora] = facts_in(outcome.files[0])[0]["loras"]
    assert lora == {"file": "nano_style.safetensors", "strength": 0.75, "varies": written, "most_change": 1.0}
    status, answer = server.post("/prompt", {"prompt": prompt("nano_stile.safetensors")})
    assert status == 400
    assert "Line 1: there is no LoRA nano_stile.safetensors" in str(answer["node_errors"]["lora"]["errors"])


def test_a_picture_of_the_stock_sampler_has_the_same_facts(run):
    prompt = {**text_to_image(), "negative": encode(""), "sampler": ksampler(), "save": save("stock")}
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    [facts] = facts_in(outcome.files[0])
    assert facts["model"] == facts["text_encoder"] == "nano (built in)"
    assert (facts["seed"], facts["steps"], facts["cfg"], facts["denoise"]) == (5, 4, 2.0, 1.0)
    assert (facts["solver"], facts["scheduler"], facts["lossy"]) == ("euler", "simple", [])


def test_a_graph_without_our_samplers_is_left_alone(server, run):
    size = {"width": 64, "height": 64, "batch_size": 1, "color": 0}
    outcome = run(
        {"empty": node("EmptyImage", **size), "save": node("SaveImage", images=["empty", 0], filename_prefix="x")}
    )
    assert outcome.error is None, outcome.error
    assert "zimage" not in Image.open(outcome.files[0]).text


def test_with_metadata_disabled_none_is_saved(tmp_path):
    """Neither by Save Image nor by our node, which is asked for parameters too."""
    prompt = text_to_image()
    prompt["ours"] = node("ZImageSaveImage", images=["decode", 0], filename_prefix="ours", parameters=True)
    with running_server(tmp_path, tmp_path / "output", ("--cpu", "--disable-metadata")) as quiet:
        outcome = asyncio.run(execute(quiet, prompt))
    assert outcome.error is None, outcome.error
    assert [Image.open(file).text for file in outcome.files] == [{}, {}]


def write_lora(path):
    """A LoRA of one layer of the built-in model."""
    path.parent.mkdir(exist_ok=True)
    key = "diffusion_model.layers.0.attention.out"
    generator = torch.Generator().manual_seed(0)
    save_file(
        {
            f"{key}.lora_A.weight": torch.randn(2, NANO_DIT.dim, generator=generator),
            f"{key}.lora_B.weight": torch.randn(NANO_DIT.dim, 2, generator=generator) / 100,
        },
        path,
    )
