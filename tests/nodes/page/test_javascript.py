"""The page's part, run by Node: its own tests, and what it repeats of the nodes is what the nodes have."""

import asyncio
import importlib
import json
from itertools import product

import pytest
from scripts import NODE, evaluate, node

from paths import REPOSITORY

pytestmark = pytest.mark.skipif(NODE is None, reason="no Node here; Debian's package nodejs brings it")


@pytest.fixture(scope="module")
def schemas(pack):
    nodes = asyncio.run(asyncio.run(pack.entry.comfy_entrypoint()).get_node_list())
    return {schema.node_id: schema for schema in (each.define_schema() for each in nodes)}


@pytest.mark.slow
def test_its_own_tests_pass():
    assert "# fail 0" in node("--test", "--test-reporter=tap", "tests/js/")


def test_sizes_are_those_of_the_empty_latent_node(pack):
    ratios, areas = list(pack.groups[2].RATIOS.values()), [0.004, 0.06, 0.25, 0.999, 1.0, 1.5, 2.0, 4.0, 16.0]
    asked = [(list(ratio), area) for ratio, area in product(ratios, areas)]
    sizes = evaluate("sizes/sizes", f"{json.dumps(asked)}.map(([ratio, area]) => it.sizeOf(ratio, area))")
    assert [(size["width"], size["height"]) for size in sizes] == [
        pack.bridge_latents.size_from_ratio(tuple(ratio), area) for ratio, area in asked
    ]


def test_presets_are_those_of_the_samplers(pack):
    presets = importlib.import_module(f"{pack.entry.__name__}.zimage_core.sampling.presets")
    published = evaluate("samplers/presets", "it.PRESETS")
    assert published == {"turbo": vars(presets.TURBO), "base": vars(presets.BASE)}


def test_a_drawn_schedules_sigmas_are_those_of_the_node(pack):
    schedules = importlib.import_module(f"{pack.entry.__name__}.zimage_core.sampling.drawn_schedule")
    texts = ("0 1, 1 0", "0 1, 0.5 0.85, 1 0", "0 0.9, 0.1 0.2, 0.2 0.19, 0.9 0.01, 1 0", " 0 1 \uff0c .3 .7;1 0.1,")
    asked = list(product((1, 8, 28), (0.5, 1.0, 3.0, 6.0), texts))
    parts = "Array.from({length: steps + 1}, (_, i) => i / steps)"
    sigmas = f"{json.dumps(asked)}.map(([steps, shift, text]) => it.sigmasAt(it.readPoints(text), shift, {parts}))"
    for given, found in zip(asked, evaluate("samplers/drawn_schedule", sigmas), strict=True):
        assert schedules.drawn_schedule(*given).tolist() == pytest.approx(found, abs=1e-6), given


def test_the_rows_of_a_lora_list_are_those_the_node_reads(pack):
    rows = importlib.import_module(f"{pack.entry.__name__}.zimage_core.checkpoints.lora.rows")
    text = (
        "a.safetensors : 0.8\n\n  # b.safetensors : 1\n#off\r\nstyle\\c d.safetensors:-.5"
        "\x0be:f.safetensors : 1e-1\u2028g\nh:.5>1 @ 0-0.5 blocks 0-9=2"
        "\ni\uff1a2.safetensors\uff1a0.7\nj.safetensors \uff1a 0.7"
    )
    shown = evaluate("loras/lora_text", f"it.rowsOf({json.dumps(text)}).filter((row) => row.isOn)")
    assert [(row["line"] + 1, row["name"], row["strength"]) for row in shown] == [
        (row.line, row.name, row.strength.first) for row in rows.parse_rows(text)
    ]


def test_what_the_page_can_read_after_a_strength_is_what_the_node_reads(pack):
    rows = importlib.import_module(f"{pack.entry.__name__}.zimage_core.checkpoints.lora.rows")
    good = (
        "",
        " ",
        ">1",
        " > .5 @ 0-1",
        "@.2-1.",
        " @ 0 - 0.5 blocks 0-9=0.5 rest = -1e-1",
        " blocks noise_refiner=+2 10=0",
    )
    bad = (
        ",5",
        " @ 20%",
        "@ 1-0.2",
        "@ 0.2-1.5",
        " @ 0.2",
        " blocks",
        " blocks 0-9",
        " blocks x=1",
        " blocks 0=1 @ 0-1",
        "%",
    )
    lines = [f"a.safetensors : 1{rest}" for rest in (*good, *bad)]
    shown = evaluate("loras/lora_text", f"it.rowsOf({json.dumps(chr(10).join(lines))})")
    assert [row["strength"] for row in shown] == [1] * len(lines)
    assert [row["isRead"] for row in shown] == [True] * len(good) + [False] * len(bad)
    assert len(rows.parse_rows("\n".join(lines[: len(good)]))) == len(good)
    for line in lines[len(good) :]:
        with pytest.raises(ValueError, match="^Line 1: "):
            rows.parse_rows(line)


def test_every_widget_the_page_sets_is_there(schemas):
    for node_id, name in product(
        ("ZImageTurboSampler", "ZImageSampler", "ZImageSigmas", "ZImageDrawnSigmas"), ("turbo", "base")
    ):
        widgets = {each.id for each in schemas[node_id].inputs}
        assert set(evaluate("samplers/presets", f'Object.keys(it.settingsFor("{node_id}", "{name}"))')) <= widgets


@pytest.mark.parametrize(
    ("file", "release"),
    [
        ("z_image_turbo_bf16.safetensors", "turbo"),
        ("z_image_bf16.safetensors", "base"),
        ("Z-Image-De-Turbo.safetensors", "other"),
        ("realistic_mix_v2.safetensors", "other"),
    ],
)
def test_the_page_understands_the_servers_words_for_a_release(pack, file, release):
    module = importlib.import_module(f"{pack.entry.__name__}.zimage_core.checkpoints.identify.release")
    words = module.release_by_name({}, file)
    assert evaluate("samplers/presets", f"it.releaseOf({json.dumps(words)})") == release


def test_the_settings_are_named_in_both_languages():
    """ComfyUI looks translations up under the setting's id with its dots replaced."""
    settings = {
        each["id"].replace(".", "_"): {"name": each["name"], "tooltip": each["tooltip"]}
        for each in evaluate("page/settings", "it.SETTINGS")
    }
    english, chinese = (translated(language) for language in ("en", "zh"))
    assert english == settings
    assert {name: texts.keys() for name, texts in chinese.items()} == {
        name: texts.keys() for name, texts in settings.items()
    }


def translated(language):
    return json.loads((REPOSITORY / "locales" / language / "settings.json").read_text("utf-8"))
