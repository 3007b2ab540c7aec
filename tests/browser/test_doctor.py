"""What Z-Image Doctor found stands under it after the run, in the page's language, and goes with the next good run."""

import pytest

from paths import REPOSITORY

WORKFLOW = REPOSITORY / "workflows" / "Z-Image Nano - doctor.json"
SAID = {
    "en": ("The result is burnt, its latent is too strong", "CFG 100 is too high. Set 3 to 5 for base, 1 for Turbo."),
    "zh": ("结果过火，Latent 太强", "CFG 100 太高。base 请设 3 到 5，Turbo 请设 1。"),
}


@pytest.mark.parametrize("language", SAID)
def test_a_burnt_result_is_said_under_the_doctor_and_the_sampler(shared, language):
    shared.set_language(language)
    shared.open(WORKFLOW)
    shared.put("ZImageSampler", cfg=100.0, seed=7)
    assert shared.run()[-1][0] == "execution_success"
    for line in (shared.line("found"), shared.line("report")):
        assert all(each in line for each in SAID[language])
    shared.put("ZImageSampler", cfg=3.0, steps=4)
    assert shared.run()[-1][0] == "execution_success"
    shared.page.locator("[data-line=found]").wait_for(state="detached")
