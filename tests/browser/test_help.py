"""A node's help page opens in the page's language, with all pictures."""

import pytest

TITLES = {"en": "Z-Image Sampler", "zh": "Z-Image 采样器"}


@pytest.mark.parametrize("language", TITLES)
def test_the_info_button_opens_the_nodes_page_with_every_picture(shared, language):
    shared.set_language(language)
    shared.add("ZImageSampler")
    shared.scroll_to("ZImageSampler")
    shared.select("ZImageSampler")
    shared.page.get_by_test_id("info-button").first.click()
    page = shared.page.locator(".node-help-content")
    page.get_by_text(TITLES[language]).first.wait_for()
    shared.page.wait_for_function(
        "() => { const shown = [...document.querySelectorAll('.node-help-content img')];"
        " return shown.length >= 8 && shown.every((each) => each.naturalWidth > 100) }"
    )
