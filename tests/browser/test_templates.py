"""The template browser: workflows in a fixed order, found by name; apps open as apps."""

from paths import REPOSITORY
from tools.comfyui import PACK

WORKFLOWS = sorted(path.stem for path in (REPOSITORY / "workflows").glob("*.json"))
CARD = "template-workflow-"
OURS = f"[data-testid^='{CARD}Z-Image']"


def browse(canvas):
    """Open the template browser; returns its dialog."""
    canvas.page.evaluate("() => app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    dialog = canvas.page.get_by_role("dialog")
    dialog.get_by_text(PACK, exact=True).wait_for()
    return dialog


def all_names(canvas) -> list[str]:
    """Names in the order shown; the list grows while it is scrolled."""
    for _ in range(80):
        canvas.page.mouse.move(900, 600)
        canvas.page.mouse.wheel(0, 3000)
        if canvas.page.locator(OURS).count() >= len(WORKFLOWS):
            break
        canvas.page.wait_for_timeout(250)
    return canvas.page.locator(OURS).evaluate_all(
        "(cards, start) => cards.map((card) => card.dataset.testid.slice(start))", len(CARD)
    )


def test_the_packs_templates_begin_with_text_to_image_and_an_app_opens_as_an_app(canvas):
    browse(canvas).get_by_text(PACK, exact=True).click()
    listed = all_names(canvas)
    assert listed[:3] == [f"Z-Image {model} - text to image" for model in ("Turbo", "Base", "Nano")]
    assert sorted(listed) == WORKFLOWS
    canvas.page.get_by_test_id(f"{CARD}Z-Image Nano - App mode").click()
    canvas.page.wait_for_function("() => app.extensionManager.workflow.activeWorkflow.initialMode === 'app'")


def test_searching_z_image_finds_all_of_them(canvas):
    """Among ComfyUI's own."""
    browse(canvas).locator("input[type=text]").fill("z-image")
    assert sorted(all_names(canvas)) == WORKFLOWS
