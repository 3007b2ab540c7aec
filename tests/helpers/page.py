"""A test's handle on ComfyUI's page in a real browser: open, click, read widgets, run, drop files."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.page import change_setting, load_workflow, open_page

IGNORED_ERRORS = (  # from the page itself: no internet access, optional files
    "Failed to load resource",
    "Content Security Policy",
    "Fetch API cannot load",
    "ERR_INTERNET_DISCONNECTED",
    "ERR_NAME_NOT_RESOLVED",
    "ComfyApp graph accessed before initialization",
)
PATIENCE = 120_000  # milliseconds after which a condition counts as failed, also where other work keeps the cores busy
RUN = re.compile(r"^\s*(Run|运行)\s*$")  # the Run button's label, on the canvas and in App mode

PINNED, NEWEST = "pinned frontend, classic canvas", "newest frontend, Nodes 2.0"

NODES = "[app.graph, ...(app.graph.subgraphs?.values?.() ?? [])].flatMap((graph) => graph.nodes)"
NODE = f"const node = {NODES}.find((each) => (each.comfyClass ?? each.type) === kind);"


@dataclass
class Canvas:
    """One open page; `page` is playwright's."""

    page: Any
    url: str
    errors: list[str] = field(default_factory=list)  # console errors since the page opened

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._collect_error)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _collect_error(self, message: Any) -> None:
        if message.type == "error" and not any(ignored in message.text for ignored in IGNORED_ERRORS):
            self.errors.append(message.text)

    def go(self) -> None:
        """Open the page, or open it again."""
        open_page(self.page, self.url)

    def set(self, setting: str, value: Any) -> None:
        change_setting(self.page, setting, value)

    def set_language(self, language: str) -> None:
        """Change the page's language; names of nodes follow when it is opened again."""
        if self.page.evaluate("() => app.extensionManager.setting.get('Comfy.Locale')") != language:
            self.set("Comfy.Locale", language)
            self.go()

    def open(self, graph: Mapping[str, Any] | Path) -> None:
        """Load a workflow as the menu does, and bring it into view."""
        if isinstance(graph, Path):
            graph = json.loads(graph.read_text("utf-8"))
        load_workflow(self.page, graph)
        self.page.evaluate("() => { app.canvas.ds.scale = 1; app.canvas.setDirty(true, true) }")

    def add(self, kind: str) -> None:
        """A new node of a class on an empty canvas, with its defaults."""
        self.page.evaluate(
            "(kind) => { app.graph.clear(); const node = LiteGraph.createNode(kind); node.pos = [200, 120];"
            " app.graph.add(node) }",
            kind,
        )

    def scroll_to(self, kind: str) -> None:
        """Scroll to a node: elements on nodes out of view are not drawn."""
        self.page.evaluate(
            f"(kind) => {{ {NODE} app.canvas.ds.scale = 1;"
            " app.canvas.ds.offset = [400 - node.pos[0], 160 - node.pos[1]]; app.canvas.setDirty(true, true) }",
            kind,
        )

    def select(self, kind: str) -> None:
        """Click a node's title until it is selected; a node that is not drawn yet cannot be clicked."""
        for _ in range(PATIENCE // 300):
            self.page.wait_for_timeout(300)
            position = self.page.evaluate(
                f"(kind) => {{ {NODE} const {{ scale, offset }} = app.canvas.ds;"
                " return [(node.pos[0] + 60 + offset[0]) * scale, (node.pos[1] - 15 + offset[1]) * scale] }",
                kind,
            )
            self.page.mouse.click(*position)
            if self.page.evaluate(f"(kind) => {{ {NODE} return app.canvas.selectedItems.has(node) }}", kind):
                return
        raise AssertionError(f"{kind} could not be selected")

    def value(self, kind: str, widget: str) -> Any:
        return self.page.evaluate(
            f"([kind, name]) => {{ {NODE} return node.widgets.find((each) => each.name === name).value }}",
            [kind, widget],
        )

    def put(self, kind: str, /, **values: Any) -> None:
        """Set widgets, as typing into them does."""
        self.page.evaluate(
            f"([kind, values]) => {{ {NODE} for (const [name, value] of Object.entries(values)) {{"
            " const widget = node.widgets.find((each) => each.name === name);"
            " widget.value = value; widget.callback?.(value) } }",
            [kind, values],
        )

    def shrink(self, megapixels: float) -> None:
        """Limit the size of every picture of the workflow."""
        self.page.evaluate(
            f"(most) => {NODES}"
            ".flatMap((node) => node.widgets ?? []).filter(({name, value}) => name === 'megapixels' && value > most)"
            ".forEach((widget) => { widget.value = most })",
            megapixels,
        )

    def line(self, name: str, containing: str = "") -> str:
        """Wait for a text line under a node that contains `containing`; returns its text."""
        found = self.page.locator(f'.zimage-line[data-line="{name}"]').filter(has_text=containing).first
        found.wait_for(state="attached")
        return found.inner_text()

    def lines(self, name: str) -> list[str]:
        return self.page.locator(f'.zimage-line[data-line="{name}"]').all_inner_texts()

    def prompt(self) -> dict[str, Any]:
        """The prompt graph that the page would queue."""
        return self.page.evaluate("async () => (await app.graphToPrompt()).output")

    def serialized(self) -> dict[str, Any]:
        return self.page.evaluate("() => app.graph.serialize()")

    def heights(self) -> dict[str, float]:
        """Heights of the top-level graph's nodes, by node id."""
        return self.page.evaluate("() => Object.fromEntries(app.graph.nodes.map((node) => [node.id, node.size[1]]))")

    def missing(self) -> list[str]:
        """Node classes that the page reports as missing."""
        return self.page.evaluate(
            f"() => {NODES}"
            ".filter((node) => node.has_errors || !(LiteGraph.registered_node_types[node.type] || node.subgraph))"
            ".map((node) => node.type)"
        )

    def listen(self) -> None:
        """Collect the server's messages from now on."""
        self.page.evaluate(
            "() => { const listens = window.messages; window.messages = []; if (listens) return;"
            " for (const kind of ['execution_start', 'progress', 'progress_state',"
            " 'b_preview', 'b_preview_with_metadata', 'executed', 'execution_success', 'execution_error'])"
            " app.api.addEventListener(kind, ({detail}) => window.messages.push([kind, kind.startsWith('b_') ? null"
            " : detail])) }"
        )

    def run(self) -> list[Any]:
        """Press Run and wait for the end; returns the messages received."""
        self.listen()
        self.press_run()
        self.page.wait_for_function(
            "window.messages.some(([kind]) => kind === 'execution_success' || kind === 'execution_error')"
        )
        return self.page.evaluate("() => window.messages")

    def press_run(self) -> None:
        """Press the button that queues."""
        if self.page.get_by_test_id("coach-landing-overlay").count():  # App mode's welcome screen
            self.page.keyboard.press("Escape")
        self.page.locator("button:visible", has_text=RUN).first.click()

    def drop(self, file: Path) -> None:
        """Drop a file onto the canvas."""
        data = base64.b64encode(file.read_bytes()).decode()
        self.page.evaluate(
            """async ([data, name]) => {
                const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
                const transfer = new DataTransfer();
                transfer.items.add(new File([bytes], name, { type: "image/png" }));
                const how = { dataTransfer: transfer, bubbles: true, cancelable: true };
                document.querySelector("#graph-canvas").dispatchEvent(new DragEvent("drop", how));
            }""",
            [data, file.name],
        )


def add_black_mask(canvas: Canvas) -> None:
    """A graph of its own on the page: Z-Image Inpaint with a mask that marks nothing."""
    canvas.page.evaluate(
        "() => { app.graph.clear(); const [picture, mask, vae, inpaint, shown] = ['EmptyImage', 'SolidMask',"
        " 'ZImageVAELoader', 'ZImageInpaint', 'PreviewImage'].map((kind, index) => {"
        " const node = LiteGraph.createNode(kind); node.pos = [40 + 300 * index, 120];"
        " app.graph.add(node); return node });"
        " picture.connect(0, inpaint, 0); mask.connect(0, inpaint, 1); vae.connect(0, inpaint, 2);"
        " inpaint.connect(2, shown, 0) }"
    )
    canvas.put("EmptyImage", width=64, height=64)
    canvas.put("SolidMask", width=64, height=64, value=0.0)
    canvas.put("ZImageVAELoader", vae_name="nano (built in)")
    canvas.put("ZImageInpaint", megapixels=0.004)
