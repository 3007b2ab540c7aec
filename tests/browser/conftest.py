"""Fixtures: a real ComfyUI server, a real browser, and pages open in it."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest

from model_files import furnish
from page import NEWEST, PINNED, Canvas
from tools.comfyui import Server, cache_folder, comfyui_folder, running_server
from tools.page import skip_tutorial

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@cache
def newest_frontend() -> Path | None:
    """The newest frontend on PyPI, unpacked in the cache; None without network access and cache."""
    cache = cache_folder() / "frontend"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="part-") as part:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", part]
        subprocess.run([*command, "comfyui-frontend-package"], check=False, capture_output=True, timeout=300)
        for wheel in Path(part).glob("*.whl"):
            unpack(wheel, cache / wheel.stem)
    unpacked = [each for each in cache.glob("comfyui_frontend_package-*") if each.is_dir()]
    places = sorted(unpacked, key=lambda each: [int(part) for part in each.name.split("-")[1].split(".")])
    return places[-1] / "comfyui_frontend_package" / "static" if places else None


def unpack(wheel: Path, place: Path) -> None:
    """Unpack a wheel where it is missing; whole at once, as another worker may be about to use it."""
    if place.exists():
        return
    whole = wheel.with_suffix("")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(whole)
    with suppress(OSError):  # the other one was quicker
        whole.rename(place)


@pytest.fixture(scope="package")
def chromium():
    """One browser for this folder; playwright's event loop must be closed before other tests start theirs."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here; Debian's package chromium brings it (`make chromium`)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="package", params=[PINNED, NEWEST])
def frontend(request: pytest.FixtureRequest, chromium) -> str:
    """The frontend version (ComfyUI 0.30's or the newest) and its node renderer."""
    return request.param


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """The server of a frontend, started once: a worker runs files of other folders between those of this one."""
    with ExitStack() as running:

        @cache
        def server_of(frontend: str) -> Server:
            return running.enter_context(serving(frontend, tmp_path_factory.mktemp("comfyui")))

        yield server_of


@contextmanager
def serving(frontend: str, base: Path) -> Iterator[Server]:
    if not (comfyui_folder() / "main.py").exists():
        pytest.skip(f"no ComfyUI in {comfyui_folder()}; `make test` fetches it")
    furnish(base)
    extra = ["--cpu", "--preview-method", "latent2rgb"]
    if frontend == NEWEST:
        root = newest_frontend()
        if root is None:
            pytest.skip("the newest comfyui-frontend-package could not be had from PyPI")
        extra += ["--front-end-root", str(root)]
    with running_server(base, base / "output", extra) as up:
        yield up


@pytest.fixture(scope="package")
def server(frontend: str, servers: Callable[[str], Server]) -> Server:
    """One server for each canvas; what it keeps (settings, prompts, pictures) other tests have written, too."""
    return servers(frontend)


@pytest.fixture(scope="package")
def open_page(chromium, frontend: str) -> Callable[[Server], AbstractContextManager[Canvas]]:
    """A function that opens a new page of a server, in English."""

    @contextmanager
    def opened(server: Server) -> Iterator[Canvas]:
        skip_tutorial(server)
        server.post("/settings", {"Comfy.VueNodes.Enabled": frontend == NEWEST, "Comfy.Locale": "en"})
        context = chromium.new_context(viewport={"width": 1600, "height": 1000})
        canvas = Canvas(page=context.new_page(), url=server.url)
        canvas.go()
        yield canvas
        context.close()

    return opened


@pytest.fixture
def canvas(open_page, server: Server) -> Iterator[Canvas]:
    """A page for one test; console errors fail the test."""
    with open_page(server) as canvas:
        yield canvas
        assert not canvas.errors, canvas.errors


@pytest.fixture(scope="module")
def module_canvas(open_page, server: Server) -> Iterator[Canvas]:
    """A page that stays open for all tests of a module."""
    with open_page(server) as canvas:
        yield canvas


@pytest.fixture
def shared(module_canvas: Canvas) -> Iterator[Canvas]:
    """The module's page; console errors fail the test in which they occur."""
    module_canvas.errors.clear()
    yield module_canvas
    assert not module_canvas.errors, module_canvas.errors
