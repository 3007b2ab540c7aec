"""What the Registry's and other people's scanners say of the archive, with every false finding named and told why.

comfy-lint and comfy-preflight read graphs in API form; the server does that for every workflow in tests/server.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from comfyui_install import needs_comfyui
from paths import REPOSITORY
from tools.comfyui import comfyui_folder

BIN = Path(sys.executable).parent
REGISTRY_RULES = {"S102": "exec", "S307": "eval", "E702": "several statements on a line"}

# nodesafe looks for letters, not for meaning: its "eval(" is in every PyTorch program. A finding passes if its line has
# the harmless form and nothing else of the kind. Real exec and eval are ruff's S102 and S307.
HARMLESS = {
    "pattern `eval(`": r"\.eval\(\)",  # a network leaves training mode
    "pattern `compile(`": r"\b(re|torch)\.compile\(",
    "base64.b64decode": r"base64\.b64decode\(text, validate=True\)",  # a LoRA's picture, which Pillow alone reads
    "pattern `ord(`": r"^(?!.*(?<!\w)ord\().*\word\(",  # a name that ends so: record(, Record(
    "pattern `importlib.import_module`": r"import_module\(\"?f?\"\.[\w.{}]+\", __package__\)",  # our own modules only
    "Dynamic `getattr`": r"getattr\(",  # fields of our own dataclasses and layers by name
    "subprocess.run": r"subprocess\.run\(\[program, \*arguments\],",  # tesseract, without a shell, if it is chosen
    "network_call: pattern `http.client": r"kind = http\.client\.",  # a chat server whose address a person typed
    # Sentences, patterns and a stylesheet, which an encoded payload is not
    "high-entropy literal": r"[\"'][^\"']*[ |(][^\"']*[ |(]|^STYLE = \"\"\"$",
    "suspicious identifier '_": r"",  # _gb and _fp8
    "typosquat: `daft`": r"",  # the data engine's, getdaft.io; not dask
    "typosquat: `pyarrow`": r"",  # Apache's own name for it
}


def ruff(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", "check", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_the_rules_of_comfy_node_validate_find_nothing(archive):
    """Alone and without our own exceptions, as the Registry runs them."""
    found = ruff("--isolated", "--no-cache", "--select", ",".join(REGISTRY_RULES), str(archive))
    assert found.returncode == 0, found.stdout


def test_those_rules_are_among_the_ones_make_check_runs():
    settings = ruff("--show-settings", "nodes/__init__.py").stdout
    enabled = settings.partition("linter.rules.enabled = [")[2].partition("]")[0]
    assert set(re.findall(r"\((\w+)\)", enabled)) >= REGISTRY_RULES.keys()


def test_nodesafe_finds_nothing_that_is_not_harmless(archive):
    scan = subprocess.run(
        [BIN / "nodesafe", "scan", str(archive), "--format", "json", "--fail-on", "none"],
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(scan.stdout)
    assert "L3" in report["scan"]["layers_run"]
    assert [
        f"{each['file']}:{each['line']} {each['title']}" for each in report["findings"] if is_news(archive, each)
    ] == []


def is_news(archive: Path, finding: dict) -> bool:
    """Whether a finding is none of the harmless ones."""
    if finding["file"] is None:  # the sum of the others
        return False
    line = (archive / finding["file"]).read_text("utf-8").splitlines()[finding["line"] - 1]
    forms = [form for words, form in HARMLESS.items() if words in finding["title"]]
    return not any(re.search(form, line) for form in forms)


@needs_comfyui
def test_every_name_of_comfyui_that_is_imported_exists_and_is_called_as_it_wants(archive, tmp_path):
    """comfy-import-guard asks git, so ComfyUI's Python files become a commit of their own."""
    clone = tmp_path / "cache/ComfyUI"
    clone.mkdir(parents=True)
    git(clone, "init", "--quiet", ".")
    work = f"--work-tree={comfyui_folder()}"
    git(clone, work, "add", "--force", "--", "*.py")
    git(clone, work, "-c", "user.name=test", "-c", "user.email=test@invalid", "commit", "--quiet", "-m", "ComfyUI")
    (tmp_path / "install/custom_nodes").mkdir(parents=True)
    (tmp_path / "install/custom_nodes/zimage-nodes").symlink_to(archive, target_is_directory=True)
    checked = subprocess.run(
        [BIN / "comfy-import-guard", "--offline", "--json", "--cache-dir", str(clone.parent), "check", "--strict"]
        + ["--no-update", "--comfy-dir", str(tmp_path / "install"), "--target", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (pack,) = json.loads(checked.stdout)["packs"]
    assert pack["references"] > 50


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", f"--git-dir={folder}/.git", *arguments], cwd=folder, check=True)


# comfy-test's patterns are right for what runs in ComfyUI. nano's recipe (`make nano`) does not: its readings are plain
# layers that exist while it trains, and its captions are Chinese words, which Python reads as UTF-8 everywhere; so are
# the words of chinese_words.py, the one file of the nodes that is all Chinese.
CHINESE_WORDS = "chinese_words.py"
RECIPE = shutil.ignore_patterns(
    "stages",
    "captions.py",
    "edit_captions.py",
    "combinations.py",
    "requests.py",
    "phrasings.py",
    "picture_captions.py",
    "scene_captions.py",
    "two_objects.py",
    CHINESE_WORDS,
)


# What the page's scanner finds and is no mistake: the finding's rule and line.
HARMLESS_IN_PAGE = (
    # A stylesheet belongs to the document; its rules touch only our own elements (tested below).
    ("shared-dom-injection", "document.head.append(sheet)"),
    # A list that is open lies above everything, as a browser's own does; it goes when it closes.
    ("shared-dom-injection", "document.body.append(box)"),
    # A LoRA's large picture, too, while the pointer is on the small one.
    ("shared-dom-injection", "document.body.append(large)"),
    # So does an arena's large view, which is modal.
    ("shared-dom-injection", "document.body.append(dialog)"),
    # The page asks once for the templates and shows them in the answer's order, which no file can say. The wrapper
    # passes on what it gets and sorts only this pack's own list (docs/architecture.md, decision 23).
    (
        "shared-object-monkeypatch",
        "api.getWorkflowTemplates = async () => ordered(await ask(), packFolder())",
    ),
)


def comfy_test(pack: Path, check: str) -> dict:
    command = [BIN / "comfy-test", "lint", "--check", check, "--json", str(pack)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    return told["results"][check]


def test_comfy_test_passes_what_runs_in_comfyui(archive, tmp_path):
    shutil.copytree(archive, tmp_path / "zimage-nodes", ignore=RECIPE)
    told = comfy_test(tmp_path / "zimage-nodes", "syntax")
    assert told["passed"], told


def test_comfy_test_finds_nothing_of_ours_in_other_packs_way_in_the_page(archive):
    told = comfy_test(archive, "javascript")
    assert told["namespaces"] == ["zimage"]
    found = [(each["rule"], line_of(archive / "js" / each["file"], each["line"])) for each in told["findings"]]
    assert [each for each in found if each not in HARMLESS_IN_PAGE] == []


def line_of(file: Path, number: int) -> str:
    return file.read_text("utf-8").splitlines()[number - 1].strip().rstrip(";")


def test_our_stylesheets_touch_only_our_own_elements(archive):
    for sheet in (archive / "js").rglob("*.css"):
        rules = re.sub(r"/\*.*?\*/", "", sheet.read_text("utf-8"), flags=re.DOTALL)
        for selectors in re.findall(r"([^{}]+)\{", rules):
            assert all(each.strip().startswith(".zimage-") for each in selectors.split(",")), selectors


def test_what_comfyui_loads_first_is_readable_in_any_windows_code_page(archive):
    """All but the Chinese words, which no Western code page has."""
    files = {archive / "__init__.py", *(archive / "nodes").rglob("*.py")} - {archive / "nodes" / CHINESE_WORDS}
    for file in files:
        file.read_text("utf-8").encode("cp1252")
