"""Z-Image Grid on the real server: pictures as graphs by hand draw them, no prompt encoded twice, none drawn twice."""

import numpy as np
import pytest
from PIL import Image

from prompt_graphs import encode, loaders, node, text_to_image
from zimage_core.grid import chinese_font

PROMPT = "a large red circle in the middle on white"
SETTINGS = {
    "prompt": PROMPT,
    "negative_prompt": "",
    "seed": 1,
    "steps": 4,
    "cfg": 1.0,
    "solver": "euler",
    "shift": 3.0,
    "strength": 1.0,
    "lora": "none",
    "lora_strength": 1.0,
}


def grid(x=("none", ""), y=("none", ""), z=("none", ""), **settings):
    """Axes as (name, values); both the sheet and the pictures are saved."""
    axes = dict(zip("xyz", (x, y, z), strict=True))
    sources = {name: [name, 0] for name in ("model", "clip", "vae", "latent")}
    widgets = {f"{letter}_{what}": axes[letter][i] for letter in "xyz" for i, what in enumerate(("axis", "values"))}
    return {
        **loaders(),
        "latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1),
        "grid": node("ZImageGrid", **sources, **widgets, **{**SETTINGS, **settings}),
        "pictures": node("SaveImage", images=["grid", 1], filename_prefix="grid"),
    }


def of_kind(outcome, kind):
    """Ids of the nodes of one kind that ran inside the grid."""
    return [name for name in outcome.executed if f".{kind}-" in name]


def pixels(files):
    """Those that were saved, without what the node shows."""
    return [np.asarray(Image.open(file)) for file in files if "temp" not in file.parts]


def by_hand(run, prompt=PROMPT, **sampler):
    outcome = run(text_to_image(prompt, **sampler))
    assert outcome.error is None, outcome.error
    return pixels(outcome.files)[0]


def guided(cfg, negative):
    """Text to image with Z-Image Sampler."""
    extra = {"cfg_normalization": 0.0, "cfg_truncation": 1.0, "negative": ["negative", 0]}
    graph = text_to_image()
    return {
        **graph,
        "negative": encode(negative),
        "sampler": node("ZImageSampler", **graph["sampler"]["inputs"], **extra, cfg=cfg),
    }


def test_every_picture_is_that_of_the_graph_by_hand_and_each_prompt_is_encoded_once(run):
    prompts = ["a blue star", "a green ring on black"]
    outcome = run(grid(("steps", "2, 4"), ("prompt", "\n".join(prompts)), ("seed", "1-2")))
    assert outcome.error is None, outcome.error
    drawn = pixels(outcome.files)
    hand = [by_hand(run, prompt, seed=seed, steps=steps) for seed in (1, 2) for prompt in prompts for steps in (2, 4)]
    assert len(drawn) == 8
    assert all(np.array_equal(one, other) for one, other in zip(drawn, hand, strict=True))
    assert len(of_kind(outcome, "ZImageTextEncode")) == 2
    assert len(of_kind(outcome, "ZImageTurboSampler")) == 8


def test_guidance_samplers_and_shift_reach_the_sampler(run):
    outcome = run(grid(("CFG", "1, 3"), negative_prompt="black"))
    assert outcome.error is None, outcome.error
    for drawn, cfg in zip(pixels(outcome.files), (1.0, 3.0), strict=True):
        assert np.array_equal(drawn, pixels(run(guided(cfg, "black")).files)[0])
    outcome = run(grid(("sampler", "heun, res_multistep"), ("shift", "1, 6")))
    hand = [by_hand(run, solver=solver, shift=shift) for shift in (1.0, 6.0) for solver in ("heun", "res_multistep")]
    assert all(np.array_equal(one, other) for one, other in zip(pixels(outcome.files), hand, strict=True))


def test_models_and_lora_strengths_are_those_of_their_loaders(run):
    file, lora = "z_image_turbo_bf16.safetensors", "pixel_art_style_z_image_turbo.safetensors"
    graph = grid(("model", file), ("LoRA strength", "0, 0.5"), lora=lora)
    graph |= {name: each for name, each in loaders(text="qwen_3_4b.safetensors", vae="ae.safetensors").items()}
    outcome = run(graph)
    assert outcome.error is None, outcome.error
    assert "model" not in outcome.executed  # the connected one is not needed
    assert len(of_kind(outcome, "ZImageModelLoader")) == 1
    for drawn, strength in zip(pixels(outcome.files), (0.0, 0.5), strict=True):
        rest = {f"lora_{n}": "none" for n in (2, 3, 4)} | {f"strength_{n}": 1.0 for n in (2, 3, 4)}
        hand = text_to_image(PROMPT, model=["lora", 0])
        hand |= loaders(file, "qwen_3_4b.safetensors", "ae.safetensors")
        hand |= {"lora": node("ZImageLoraLoader", model=["model", 0], lora_1=lora, strength_1=strength, **rest)}
        assert np.array_equal(drawn, pixels(run(hand).files)[0])


def test_words_of_the_prompt_are_replaced_and_the_label_says_by_what(run):
    graph = grid(("words in prompt", "red circle, blue star"))
    graph |= {"told": node("PreviewAny", source=["grid", 2])}
    told = []
    outcome = run(
        graph, lambda kind, data: told.append(data) if kind == "executed" and data["node"] == "told" else None
    )
    assert outcome.error is None, outcome.error
    drawn = pixels(outcome.files)
    assert np.array_equal(drawn[1], by_hand(run, PROMPT.replace("red circle", "blue star")))
    assert told[0]["output"]["text"] == ["red circle\nblue star"]


def test_each_picture_of_a_batch_has_a_line_and_a_chinese_prompt_names_axes_in_chinese(run):
    graph = grid(("steps", "2, 4"), prompt="白色背景上的红色圆形")
    graph["latent"]["inputs"]["batch_size"] = 2
    graph |= {"told": node("PreviewAny", source=["grid", 2])}
    told = []
    run(graph, lambda kind, data: told.append(data) if kind == "executed" and data["node"] == "told" else None)
    title = "步数" if chinese_font() else "steps"
    lines = [f"{title} {steps} ({number} / 2)" for steps in (2, 4) for number in (1, 2)]
    assert told[0]["output"]["text"] == ["\n".join(lines)]


def test_after_an_interruption_only_missing_pictures_are_drawn(server, run):
    graph = grid(("seed", "100-107"), steps=8)
    begun = []

    def interrupt_in_the_fourth(kind, data):
        if kind == "executing" and ".ZImageTurboSampler-" in str(data["node"]):
            begun.append(data["node"])
            if len(begun) == 4:
                server.post("/interrupt", {})

    stopped = run(graph, interrupt_in_the_fourth)
    assert stopped.is_interrupted
    finished = set(of_kind(stopped, "ZImageVAEDecode"))
    assert len(finished) >= 3
    resumed = run(graph)
    assert resumed.error is None, resumed.error
    assert len(of_kind(resumed, "ZImageTextEncode")) == 0
    assert len(of_kind(resumed, "ZImageTurboSampler")) == 8 - len(finished)
    assert not finished & set(resumed.executed)
    assert np.array_equal(pixels(resumed.files)[0], by_hand(run, seed=100, steps=8))


def test_pictures_of_one_lora_strength_are_drawn_one_after_the_other(run):
    lora = "pixel_art_style_z_image_turbo.safetensors"
    files = loaders("z_image_turbo_bf16.safetensors", "qwen_3_4b.safetensors", "ae.safetensors")
    outcome = run(grid(("LoRA strength", "0.1, 0.2"), ("seed", "300-302"), lora=lora) | files)
    assert outcome.error is None, outcome.error
    order = [int(name.rpartition("-")[2]) for name in of_kind(outcome, "ZImageVAEDecode")]
    along_rows = sorted(order)  # nodes are numbered as their pictures stand on the sheet
    assert order == [*along_rows[0::2], *along_rows[1::2]]


def test_it_draws_inside_subgraphs(run):
    """Whose nodes the page sends with the ids on the way to them."""
    graph = grid(("seed", "400, 401"))
    ids = {name: name if name == "pictures" else f"9:3:{name}" for name in graph}
    inside = {
        ids[name]: node(
            each["class_type"],
            **{
                key: [ids[value[0]], value[1]] if isinstance(value, list) else value
                for key, value in each["inputs"].items()
            },
        )
        for name, each in graph.items()
    }
    outcome = run(inside)
    assert outcome.error is None, outcome.error
    assert all(np.array_equal(*pair) for pair in zip(pixels(outcome.files), pixels(run(graph).files), strict=True))


def test_a_value_more_draws_one_picture_more(run):
    run(grid(("seed", "200, 201")))
    outcome = run(grid(("seed", "200, 299, 201")))
    assert len(of_kind(outcome, "ZImageTurboSampler")) == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x": ("steps", "4, many")}, "X axis, steps: 'many' is not a whole number from 1 to 1000."),
        ({"y": ("sampler", "eular")}, "Y axis, sampler: there is no 'eular'. The nearest names are euler"),
        ({"z": ("LoRA strength", "1")}, "Z axis is LoRA strength, but no LoRA is chosen."),
        ({"x": ("seed", "1-300")}, "X axis, seed: '1-300' are 300 values, and the most is 256."),
        ({"x": ("seed", "1-20"), "y": ("steps", "1-20")}, "This grid would have 400 pictures, and the most is 256."),
        ({"x": ("seed", "1"), "y": ("seed", "2")}, "X axis and Y axis are both seed."),
        ({"x": ("words in prompt", "dog, cat")}, "X axis, words in prompt: 'dog' does not stand in the prompt."),
        ({"x": ("CFG", "")}, "X axis, CFG: no values are written."),
    ],
)
def test_a_mistake_is_said_before_anything_is_loaded(run, changes, sentence):
    outcome = run(grid(**changes))
    assert outcome.error["node_id"] == "grid"
    assert outcome.error["exception_message"].startswith(sentence)
    assert outcome.executed == ["grid"]


def test_the_sheet_holds_the_pictures_enlarged_and_goes_back_to_its_graph(run):
    graph = grid(("seed", "1, 2"), ("steps", "2, 4"))
    graph["sheet"] = node("SaveImage", images=["grid", 0], filename_prefix="sheet")
    outcome = run(graph)
    assert outcome.error is None, outcome.error
    [sheet_file] = [file for file in outcome.files if file.name.startswith("sheet")]
    sheet = np.asarray(Image.open(sheet_file))
    for picture in pixels(file for file in outcome.files if file != sheet_file):
        large = picture.repeat(3, 0).repeat(3, 1)
        windows = np.lib.stride_tricks.sliding_window_view(sheet, large.shape)[:, :, 0]
        corners = np.argwhere((windows[:, :, ::64, ::64] == large[::64, ::64]).all((2, 3, 4)))
        assert any(np.array_equal(sheet[y : y + 192, x : x + 192], large) for y, x in corners)
    assert '"ZImageGrid"' in Image.open(sheet_file).text["prompt"]
