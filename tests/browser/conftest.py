"""A real server, a real browser, and the page they make together."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

import pytest

from model_files import furnish
from page import Canvas
from tools.comfyui import Server, cache_folder, comfyui_folder, running_server
from tools.page import skip_tutorial

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PINNED, NEWEST = "pinned frontend, classic canvas", "newest frontend, Nodes 2.0"


@cache
def newest_frontend() -> Path | None:
    """The newest frontend on PyPI, unpacked in the cache; None without a network or a cached one."""
    cache = cache_folder() / "frontend"
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache)]
    subprocess.run([*command, "comfyui-frontend-package"], check=False, capture_output=True, timeout=300)
    wheels = sorted(cache.glob("*.whl"), key=lambda wheel: [int(part) for part in wheel.name.split("-")[1].split(".")])
    if not wheels:
        return None
    place = cache / wheels[-1].stem
    if not place.exists():
        with zipfile.ZipFile(wheels[-1]) as wheel:
            wheel.extractall(place)
    return place / "comfyui_frontend_package" / "static"


@pytest.fixture(scope="module")
def chromium():
    """One browser for a module's pages; playwright's event loop must be gone before other tests run theirs."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here; Debian's package chromium brings it (`make chromium`)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=[PINNED, NEWEST])
def frontend(request: pytest.FixtureRequest, chromium) -> str:
    """Which page: the one ComfyUI 0.30 asks for, or the newest; and how it draws nodes."""
    return request.param


@pytest.fixture(scope="module")
def server(frontend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not (comfyui_folder() / "main.py").exists():
        pytest.skip(f"no ComfyUI in {comfyui_folder()}; `make test` fetches it")
    base = tmp_path_factory.mktemp("comfyui")
    furnish(base)
    extra = ["--cpu", "--preview-method", "latent2rgb"]
    if frontend == NEWEST:
        root = newest_frontend()
        if root is None:
            pytest.skip("the newest comfyui-frontend-package could not be had from PyPI")
        extra += ["--front-end-root", str(root)]
    with running_server(base, base / "output", extra) as up:
        yield up


@pytest.fixture(scope="module")
def open_page(chromium, frontend: str) -> Callable[[Server], AbstractContextManager[Canvas]]:
    """Opens a fresh page of a server, in English."""

    @contextmanager
    def opened(server: Server) -> Iterator[Canvas]:
        skip_tutorial(server)
        context = chromium.new_context(viewport={"width": 1600, "height": 1000})
        canvas = Canvas(page=context.new_page(), url=server.url)
        canvas.go()
        canvas.set("Comfy.VueNodes.Enabled", frontend == NEWEST)
        canvas.set_language("en")
        yield canvas
        context.close()

    return opened


@pytest.fixture
def canvas(open_page, server: Server) -> Iterator[Canvas]:
    """A page for one test; an error in its console fails the test."""
    with open_page(server) as canvas:
        yield canvas
        assert not canvas.errors, canvas.errors


@pytest.fixture(scope="module")
def lasting(open_page, server: Server) -> Iterator[Canvas]:
    """A page that stays open while a module's tests follow each other, as an artist's does."""
    with open_page(server) as canvas:
        yield canvas


@pytest.fixture
def shared(lasting: Canvas) -> Iterator[Canvas]:
    """The lasting page, with a console that has to stay clean for each test by itself."""
    lasting.errors.clear()
    yield lasting
    assert not lasting.errors, lasting.errors
