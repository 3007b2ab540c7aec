"""What nodes report is Chinese throughout on a Chinese page, but for names: the reports themselves are asked for it."""

import importlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from scripts import NODE, evaluate

from paths import REPOSITORY
from zimage_core.adapters import FullDifference, LoraReport, SetWeight
from zimage_core.checkpoints import inspect
from zimage_core.checkpoints.identify import foreign_models, release
from zimage_core.checkpoints.identify.report import FileReport
from zimage_core.checkpoints.lora.keys import FAMILIES
from zimage_core.checkpoints.lora.row_strength import parse_strength
from zimage_core.merging import METHODS, Merge, Method, Source, describe_merge
from zimage_core.sampling import Tiling
from zimage_core.text.prompt import PromptTokens

pytestmark = pytest.mark.skipif(NODE is None, reason="no Node here; Debian's package nodejs brings it")
FILE = "of_a_test.safetensors"
NAMES = (
    "Chroma Cosmos Diffusion Edit Fun Gemma Latent Llama Lumina Omni Stable Turbo Wan alpha base cpu diffusers flash "
    "kohya lite mmproj nunchaku sage sageattention token xformers"
)
WORD = re.compile(r"(?<![\w./-])[A-Z]?[a-z]{2,}(?![\w./-])")


def bridge(name):
    return importlib.import_module(f"zimage_pack.nodes.bridge.{name}")


def files():
    """What every known kind of file is, its advice, release, layout and numbers."""
    rows = (*foreign_models.RELATIVES, *foreign_models.OTHERS)
    kinds = {(row.what, row.advice) for row in rows} | {(what, "") for what in foreign_models.ARCHITECTURES.values()}
    releases = [release.OMNI, *(release.release_by_name({}, f"{names[0]}.gguf") for names, _ in release.RELEASES)]
    releases.append(release.release_by_name({"general.name": "z-image"}, FILE))
    yield from (FileReport(file=FILE, what=what, advice=advice).describe() for what, advice in kinds)
    yield from (FileReport(file=FILE, what="a LoRA", release=each).describe() for each in releases)
    numbers = "float8_e4m3fn with scales (97%), int8_tensorwise with ConvRot (2%), GGUF Q8_0 (1%)"
    yield FileReport(file=FILE, what="a LoRA", precision=numbers, layout="single file, names begin with x.").describe()
    for found in (0, 2):
        yield FileReport(file=FILE, what="a LoRA", found_bytes=found, expected_bytes=1).describe()
    yield from (inspect(file).describe() for file in sorted((REPOSITORY / "zimage_core/nano").glob("*/*.safetensors")))


def lora_reports():
    """Every trainer's style and every kind of delta, with names that match nothing."""
    for _, family in FAMILIES:
        yield LoraReport(
            file=FILE,
            family=family,
            kinds=("DoRA (LoKr)", "LoRA", *(kind.kind for kind in (FullDifference, SetWeight))),
            ranks=(4, 16),
            alphas=(),
            matched=4,
            unmatched=("lora_unet_other",),
            text_encoder=("lora_te_x",),
            redundant=("lora_unet_again",),
        ).describe()


def of_a_list():
    change = bridge("patches.lora_change").StackChange
    yield change(0.2, (0.2,), 0).describe(1.0)
    yield change(0.2, (0.1, 0.15), 3).describe(0.5)
    yield bridge("patches.lora_list").NOTHING


def of_merges():
    sources = (Source(Path("of_a.test"), parse_strength(1, "0.5")), Source(Path("of_b.test"), None))
    for name in METHODS:
        yield describe_merge(Merge(sources=sources, base=Path("base.test"), method=Method(name, 0.5, 3)))
    yield describe_merge(Merge(sources=sources, base=None, method=Method()))


def of_pictures():
    large, plan = bridge("patches.large_picture"), importlib.import_module("zimage_pack.zimage_core.runtime.large_plan")
    for way in plan.WAYS:
        tiling = Tiling(height=128, width=128, overlap=32)
        yield large.report(
            plan.LargePlan(
                way=way, size=(256, 256), small=(128, 128), tiling=tiling, small_flops=10**12, flops=1, bytes_needed=1
            )
        )
    latent, detail, editing = torch.zeros(1, 16, 8, 8), bridge("tasks.detail"), bridge("tasks.editing")
    hows = (editing.SEEN, editing.CHOSEN, editing.UNSEEN)
    yield from (editing.describe([latent] * count, how) for count in (1, 2) for how in hows)
    part = SimpleNamespace(region=SimpleNamespace(width=900, height=900, size=(512, 512)))
    yield from (detail.NOTHING, detail.note([(None, part, None)], 1.0), detail.note([(None, part, None)] * 2, 1.0))
    tokens = (PromptTokens(ids=(1,) * kept, n_total=total) for kept, total in ((9, 9), (512, 600), (600, 600)))
    for each in tokens:
        told = each.describe()
        yield from (told, f"{told}; weights: none", f"no picture is looked at; prompt: {told}")
    yield bridge("tasks.sampling").NO_STEPS


@pytest.fixture(scope="module")
def of_models(pack, native, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "zimage.safetensors"
    save_file(native.weights(), path)
    model, optimize = pack.bridge_model.load_model(str(path)), bridge("patches.optimize")
    unknown = model.clone()
    unknown.cached_patcher_init = None
    attentions = [optimize.COMFYUI, optimize.AUTOMATIC, *optimize.PACKAGES]
    choices = [(optimize.KEEP, each, optimize.OFF, optimize.OFF, optimize.AUTOMATIC) for each in attentions]
    reports = [optimize.optimize(model, *each).report for each in choices]
    reports.append(optimize.optimize(model, optimize.INT8, optimize.COMFYUI, optimize.LAYERS, optimize.STEPS).report)
    reports.append(optimize.optimize(unknown, optimize.INT8, optimize.COMFYUI, optimize.OFF).report)
    style = bridge("tasks.style_reference")
    return [*reports, *(style.describe(model, [torch.zeros(1, 16, 8, 8)] * count) for count in (1, 2))]


def test_reports_are_chinese_throughout(pack, of_models):
    reports = [*files(), *lora_reports(), *of_a_list(), *of_merges(), *of_pictures(), *of_models]
    lines = sorted({line for report in reports for line in report.splitlines() if line})
    said = evaluate("runs/translation", f"{lines!r}.map((line) => it.inLanguage(line, 'zh'))")
    english = {
        line: words
        for line, found in zip(lines, said, strict=True)
        if (words := {*WORD.findall(found)} - {*NAMES.split()})
    }
    assert len(lines) > 150
    assert english == {}
