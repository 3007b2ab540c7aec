"""What Z-Image Doctor found stands under it after the run, and goes with the next good run."""

from paths import REPOSITORY

WORKFLOW = REPOSITORY / "workflows" / "Z-Image Nano - doctor.json"
SAID = "The result is burnt, its latent is too strong", "CFG 100 is too high. Set 3 to 5 for base, 1 for Turbo."


def test_a_burnt_result_is_said_under_the_doctor_and_the_sampler(shared):
    shared.open(WORKFLOW)
    shared.put("ZImageSampler", cfg=100.0, seed=7, steps=6)
    assert shared.run()[-1][0] == "execution_success"
    for line in (shared.line("found"), shared.line("report")):
        assert all(each in line for each in SAID)
    shared.put("ZImageSampler", cfg=3.0, steps=4)
    assert shared.run()[-1][0] == "execution_success"
    shared.page.locator("[data-line=found]").wait_for(state="detached")
