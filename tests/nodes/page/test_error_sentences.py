"""The page translates sentences that the Python code really says: whoever changes one there meets this test."""

import ast
import re
from itertools import chain

import pytest
from scripts import NODE, evaluate

from paths import REPOSITORY

pytestmark = pytest.mark.skipif(NODE is None, reason="no Node here; Debian's package nodejs brings it")
ANY = "{}"


def said(node: ast.expr) -> str:
    """A string expression with {} for everything that is computed."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(said, parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return said(left) + said(right)
    return ANY


def normalized(text: str) -> str:
    """A template with its placeholders alike, and several in a row as one."""
    return re.sub(r"(\{\})+", ANY, re.sub(r"\{\w*\}", ANY, text))


@pytest.fixture(scope="module")
def sentences() -> set[str]:
    files = chain.from_iterable((REPOSITORY / folder).rglob("*.py") for folder in ("nodes", "zimage_core"))
    trees = [ast.parse(file.read_text("utf-8")) for file in files]
    return {normalized(said(node)) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.expr)}


def test_every_translated_sentence_is_one_of_the_code(sentences):
    tables = {"errors": "SENTENCES", "model_words": "MODELS", "report_sentences": "REPORTS"}
    rows = chain.from_iterable(evaluate(f"runs/{module}", f"it.{table}") for module, table in tables.items())
    english = [normalized(row[0]) for row in rows]
    assert len(english) > 200
    assert [each for each in english if each not in sentences] == []


@pytest.mark.parametrize("message", ["no_such_file", "wrong_file"])
def test_what_a_loader_says_of_a_wrong_file_is_chinese_throughout(pack, tmp_path, message):
    import torch
    from safetensors.torch import save_file

    file = tmp_path / "wrong.safetensors"
    if message == "wrong_file":
        save_file({"double_blocks.0.img_attn.proj.weight": torch.zeros(2, 2)}, file)
    with pytest.raises((ValueError, OSError)) as error:
        pack.bridge_model.load_model(str(file))
    told = evaluate("runs/translation", f"it.errorText({str(error.value)!r}, 'zh')")
    assert "wrong.safetensors" in told and str(tmp_path) not in told
    assert (
        not set(re.findall(r"[A-Za-z]{3,}", told))
        - {"wrong", "safetensors", "FLUX", "Image", "models"}
        - set("diffusion_models z_image_turbo_bf16".replace("_", " ").split())
    )
