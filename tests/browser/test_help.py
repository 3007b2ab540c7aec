"""A node's help page opens in the page's language, with all pictures."""

import pytest

TITLES = {"en": "Z-Image Sampler", "zh": "Z-Image 采样器"}


@pytest.mark.parametrize("language", TITLES)
def test_the_info_button_opens_the_nodes_page_with_every_picture(canvas, language):
    canvas.set_language(language)
    canvas.add("ZImageSampler")
    canvas.scroll_to("ZImageSampler")
    canvas.select("ZImageSampler")
    canvas.page.get_by_test_id("info-button").first.click()
    page = canvas.page.locator(".node-help-content")
    page.get_by_text(TITLES[language]).first.wait_for()
    canvas.page.wait_for_function(
        "() => { const shown = [...document.querySelectorAll('.node-help-content img')];"
        " return shown.length >= 8 && shown.every((each) => each.naturalWidth > 100) }"
    )
