"""How the pack behaves in a running ComfyUI: caching, previews, interruption, errors on the right node."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

import headers
from prompt_graphs import custom_sampler, encode, ksampler, loaders, node, text_to_image, turbo

SNAPSHOT = Path(__file__).with_name("object_info.json")
OUR_NODES = re.compile("^ZImage")


def test_node_definitions_are_those_workflows_were_saved_with(server, request):
    """Detects breaking changes. Accept an intended one with --update-snapshots and mention it in the changelog."""
    info = {name: definition for name, definition in server.get("/object_info").items() if OUR_NODES.match(name)}
    for definition in info.values():
        definition.pop("python_module")
    found = json.dumps(without_files(info), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if request.config.getoption("--update-snapshots"):
        SNAPSHOT.write_text(found, "utf-8")
    assert json.loads(found) == json.loads(SNAPSHOT.read_text("utf-8"))


def test_the_page_gets_a_loras_words_and_picture_and_nothing_of_other_folders(server):
    loras = server.base / "models" / "loras"
    (loras / "people").mkdir(exist_ok=True)
    headers.write(loras / "people" / "one.safetensors", {}, {"modelspec.trigger_phrase": "ohwx"})
    Image.new("RGB", (64, 32), "red").save(loras / "people" / "one.preview.png")
    Image.new("RGB", (64, 32), "red").save(server.base / "models" / "vae" / "ae.png")
    status, card = server.post("/zimage/lora", {"file": "people/one.safetensors"})
    assert status == 200 and card["words"] == ["ohwx"] and card["preview"].startswith("data:image/webp;base64,")
    assert server.post("/zimage/lora", {"file": "../vae/ae.safetensors"})[0] == 400


def test_a_control_picture_that_had_to_be_fitted_is_told_to_the_page(run):
    files = ("z_image_turbo_bf16", "qwen_3_4b", "ae")
    graph = {**text_to_image(model=["control", 0]), **loaders(*(f"{name}.safetensors" for name in files))}
    graph["net"] = node("ZImageControlNetLoader", control_net_name="Z-Image-Turbo-Fun-Controlnet-Union-2.1.safetensors")
    graph["edges"] = node("EmptyImage", width=100, height=72, batch_size=1, color=0)
    sockets = {"model": ["model", 0], "control_net": ["net", 0], "vae": ["vae", 0], "image": ["edges", 0]}
    widgets = {"strength": 0.8, "start_percent": 0.0, "end_percent": 1.0, "computation": "author"}
    graph["control"] = node("ZImageControl", **sockets, **widgets)
    told = []
    outcome = run(graph, lambda kind, data: told.append(data) if kind == "zimage.fitted" else None)
    assert outcome.error is None, outcome.error
    assert told == [{"node": "control", "picture": [100, 72], "latent": [64, 64]}]


def without_files(value):
    """A node definition without model file names, as other tests add files."""
    if isinstance(value, dict):
        return {key: without_files(each) for key, each in value.items() if not is_file(each)}
    if isinstance(value, list):
        return [without_files(each) for each in value if not is_file(each)]
    return value


def is_file(value) -> bool:
    return isinstance(value, str) and " " not in value and value.endswith(".safetensors")


def test_the_pack_loads_without_warnings(server):
    loading, ready, _ = server.log.read_text().partition("To see the GUI go to")
    assert ready and "zimage-nodes" in loading
    assert "IMPORT FAILED" not in loading
    assert not re.search(r"(?i)(error|warning).*zimage", loading)


def test_a_second_run_executes_nothing_and_a_new_seed_only_sampler_and_after(run):
    first = run(text_to_image(seed=11))
    assert first.error is None
    assert run(text_to_image(seed=11)).executed == []
    assert set(run(text_to_image(seed=12)).executed) == {"sampler", "decode", "save"}


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(run):
    once, again, other = (run({**text_to_image(seed=seed), **tag(index)}) for index, seed in enumerate((21, 21, 22)))
    pictures = [Image.open(outcome.files[0]).tobytes() for outcome in (once, again, other)]
    assert pictures[0] == pictures[1] != pictures[2]


def tag(index: int):
    """A distinct save node, so that the server's cache is not used."""
    return {"save": node("SaveImage", images=["decode", 0], filename_prefix=f"tag{index}")}


def test_sampling_shows_progress(run):
    steps = []
    run(text_to_image(seed=31, steps=6), lambda kind, data: steps.append(data["value"]) if kind == "progress" else None)
    assert steps[-1] == 6


def test_sampling_shows_previews(run):
    previews = []
    run(text_to_image(seed=32, steps=3), lambda kind, data: previews.append(data) if kind == "preview" else None)
    assert previews and all(preview["bytes"] > 100 for preview in previews)


def test_a_file_that_was_replaced_is_loaded_again(server, run):
    loader = {"model": node("ZImageModelLoader", model_name="z_image_bf16.safetensors", precision="float32")}
    prompt = {**loader, "show": node("PreviewAny", source=["model", 0])}
    assert "model" in run(prompt).executed
    assert "model" not in run(prompt).executed
    (server.base / "models/diffusion_models/z_image_bf16.safetensors").touch()
    assert "model" in run(prompt).executed


def test_an_interrupt_stops_within_a_step_and_the_server_goes_on(server, run):
    stopped_at = []

    def interrupt_early(kind, data):
        if kind == "progress" and not stopped_at:
            stopped_at.append(data["value"])
            server.post("/interrupt", {})

    big = {**text_to_image(seed=41, steps=500)}
    big["latent"] = node("ZImageEmptyLatent", ratio="1:1", megapixels=0.06, batch_size=1)
    outcome = run(big, interrupt_early)
    assert outcome.is_interrupted
    assert "decode" not in outcome.executed
    assert run(text_to_image(seed=42)).error is None


def test_stock_nodes_work_on_both_sides_of_ours(run):
    prompt = {
        **loaders(),
        "positive": node("CLIPTextEncode", clip=["clip", 0], text="a blue star"),
        "negative": node("ConditioningZeroOut", conditioning=["positive", 0]),
        "latent": node("EmptySD3LatentImage", width=64, height=64, batch_size=2),
        "shifted": node("ModelSamplingAuraFlow", model=["model", 0], shift=3.0),
        "ksampler": ksampler("shifted", seed=1, cfg=1.0, sampler_name="res_multistep"),
        "sigmas": node("ZImageSigmas", steps=4, shift=3.0, strength=0.5),
        "guider": node("CFGGuider", model=["model", 0], positive=["positive", 0], negative=["negative", 0], cfg=2.0),
        "noise": node("RandomNoise", noise_seed=3),
        "select": node("KSamplerSelect", sampler_name="euler"),
        "advanced": custom_sampler("ksampler"),
        "ours": turbo(latent=["advanced", 0], strength=0.5),
        "decode": node("VAEDecode", samples=["ours", 0], vae=["vae", 0]),
        "back": node("VAEEncode", pixels=["decode", 0], vae=["vae", 0]),
        "tiled": node(
            "VAEDecodeTiled",
            samples=["back", 0],
            vae=["vae", 0],
            tile_size=512,
            overlap=64,
            temporal_size=64,
            temporal_overlap=8,
        ),
        "save": node("SaveImage", images=["tiled", 0], filename_prefix="stock"),
    }
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    assert [Image.open(file).size for file in outcome.files] == [(64, 64)] * 2


WRONG_FILES = {
    "truncated": ("model", {"dit": "half_downloaded.safetensors"}, "half_downloaded.safetensors is incomplete"),
    "flux": (
        "model",
        {"dit": "flux1-dev.safetensors"},
        "is a FLUX-type diffusion model, not a Z-Image diffusion model",
    ),
    "encoder as model": (
        "model",
        {"dit": "text_encoder_in_the_wrong_folder.safetensors"},
        "it belongs in models/text_encoders",
    ),
    "clip": ("clip", {"text": "clip_l.safetensors"}, "is a CLIP text encoder"),
    "sdxl vae": ("vae", {"vae": "sdxl_vae.safetensors"}, "is another autoencoder"),
}


@pytest.mark.parametrize(("at", "files", "words"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_wrong_file_is_explained_on_its_loader_and_the_server_goes_on(server, run, at, files, words):
    outcome = run({**text_to_image(), **loaders(**files)})
    assert outcome.error["node_id"] == at
    assert words in outcome.error["exception_message"].splitlines()[0]
    assert server.is_alive
    assert run(text_to_image(seed=51)).error is None


def test_a_prompt_for_another_models_widths_is_refused_on_the_sampler(run):
    """Turbo's file with the built-in text encoder: the embeddings have the wrong width."""
    outcome = run({**text_to_image(), **loaders(dit="z_image_turbo_bf16.safetensors")})
    assert outcome.error["node_id"] == "sampler"
    assert "wide" in outcome.error["exception_message"]
    assert "text encoder" in outcome.error["exception_message"]


def test_a_latent_of_another_vae_is_refused_on_the_node_that_got_it(run):
    prompt = text_to_image()
    prompt["other"] = node("EmptyImage", width=64, height=64, batch_size=1, color=255)
    prompt["pixels"] = node("VAELoader", vae_name="pixel_space")
    prompt["latent"] = node("VAEEncode", pixels=["other", 0], vae=["pixels", 0])
    outcome = run(prompt)
    assert outcome.error["node_id"] == "sampler"
    assert "another model's VAE" in outcome.error["exception_message"]


@pytest.mark.parametrize("prompt", ["", "word " * 3000, "🦊🦊🦊", "مرحبا", "{} {0} %s", "<|im_end|>"])
def test_any_prompt_can_be_drawn(run, prompt):
    outcome = run(text_to_image(prompt, seed=61, steps=1))
    assert outcome.error is None, outcome.error


def test_a_very_long_prompt_says_how_many_tokens_it_had(run):
    prompt = text_to_image("red circle " * 1500, steps=1)
    prompt["positive"] = encode("red circle " * 1500, long_prompts="cut at 512 tokens")
    prompt["show"] = node("PreviewAny", source=["positive", 1])
    told = []
    run(
        prompt,
        lambda kind, data: told.append(data["output"]) if kind == "executed" and data["node"] == "show" else None,
    )
    assert "3009 tokens, more than 512: the last 2497 were cut off" in str(told)


def test_an_unknown_file_is_refused_before_anything_runs(server):
    prompt = {**text_to_image(), **loaders(dit="micro (built in)")}
    status, answer = server.post("/prompt", {"prompt": prompt})
    assert status == 400
    assert answer["node_errors"]["model"]["errors"][0]["extra_info"]["input_name"] == "model_name"


@pytest.mark.parametrize(("field", "value"), [("steps", 0), ("strength", 1.5), ("shift", -1.0), ("solver", "magic")])
def test_values_out_of_range_are_refused_before_anything_runs(server, field, value):
    status, answer = server.post("/prompt", {"prompt": text_to_image(**{field: value})})
    assert status == 400
    assert answer["node_errors"]["sampler"]["errors"][0]["extra_info"]["input_name"] == field


def test_a_picture_of_odd_size_is_cropped_and_drawn_over(run):
    prompt = text_to_image(strength=0.5, seed=71)
    prompt["picture"] = node("EmptyImage", width=75, height=50, batch_size=1, color=255)
    prompt["latent"] = node("ZImageVAEEncode", image=["picture", 0], vae=["vae", 0])
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    assert Image.open(outcome.files[0]).size == (64, 48)


def test_a_latent_of_odd_size_is_drawn_too(run):
    prompt = text_to_image(seed=81)
    prompt["latent"] = node("EmptySD3LatentImage", width=72, height=56, batch_size=1)
    outcome = run(prompt)
    assert outcome.error is None, outcome.error
    assert Image.open(outcome.files[0]).size == (72, 56)


def test_help_and_translations_are_served(server):
    assert server.get("/i18n")["zh"]["nodeDefs"]["ZImageTurboSampler"]["display_name"]
    page = server.url + "/extensions/zimage-nodes/docs/ZImageTurboSampler/zh.md"
    import urllib.request

    assert urllib.request.urlopen(page, timeout=30).read().decode("utf-8").startswith("# ")


def test_nothing_was_written_outside_the_chosen_folders(server):
    """The pack's folder is a symlink to the repository: running must not write files there."""
    from paths import REPOSITORY

    started = (server.base / "custom_nodes").stat().st_mtime
    fresh = [
        file
        for folder in ("nodes", "zimage_core", "js", "locales", "workflows")
        for file in (REPOSITORY / folder).rglob("*")
        if file.is_file() and file.stat().st_mtime > started and "__pycache__" not in file.parts
    ]
    assert not fresh, fresh


def test_a_mistyped_number_of_steps_is_refused_and_not_counted(server, run):
    """ComfyUI computes the facts before it validates inputs; counting a thousand million steps would block it."""
    prompt = text_to_image(steps=1_000_000_000)
    status, answer = server.post("/prompt", {"prompt": prompt})
    assert status == 400
    assert "bigger than max" in str(answer["node_errors"]["sampler"]["errors"])
    assert run(text_to_image(seed=29)).error is None
