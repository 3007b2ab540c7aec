"""What the nodes Distill and Prefer have in common: what is told of a decay, and what is left of a run: nothing."""

import importlib
import weakref
from types import SimpleNamespace

import pytest
import torch

import tiny


@pytest.fixture(scope="module")
def load(pack):
    return lambda name: importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.tasks.training.{name}")


def test_a_run_that_decayed_says_what_got_worse_when_it_ended_and_what_was_kept(load, tmp_path):
    alarm = load("beside").DecayAlarm(tmp_path, 2)
    good, burnt = {"saturation": 0.4, "contrast": 0.2, "score": 0.9}, {"saturation": 0.9, "contrast": 0.5, "score": 0.9}
    alarm.add("teacher", 0, good)
    for step, numbers in ((6, good), (12, burnt), (18, burnt)):
        alarm.rows.append({"who": "student", "step": step, **numbers})
    assert [*load("beside").checked(alarm, turn=6)] == [
        "saturation: 0.4 with the LoRA, 0.4 by the model itself",
        "contrast: 0.2 with the LoRA, 0.2 by the model itself",
        "score: 0.9 with the LoRA, 0.9 by the model itself",
        "Got worse beside the model's own: saturation, contrast",
        "So it ended at step 3, and the best average was saved, that of step 1",
    ]


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_the_network_that_learned_is_gone_afterwards(load, comfy, tmp_path, monkeypatch, is_interrupted):
    """Other prompts find the memory as before; an interrupted run is closed, which saves it."""
    networks, kept, closed = load("networks"), [], []
    bar = SimpleNamespace(update_absolute=lambda *told, **more: None)
    plan = SimpleNamespace(lines=["training takes 1 GB"], beside=lambda machine: [])

    def updates(dit):
        kept.append(weakref.ref(dit))
        try:
            for step in range(2):
                comfy.model_management.interrupt_current_processing(is_interrupted)
                yield SimpleNamespace(step=step)
        finally:
            closed.append(True)

    def load_dit(file, dtype):
        assert not comfy.model_management.current_loaded_models
        return tiny.dit()

    monkeypatch.setattr(networks, "load_dit", load_dit)
    monkeypatch.setattr(networks, "open_network", lambda *asked: SimpleNamespace(config=None))
    monkeypatch.setattr(comfy.utils, "ProgressBar", lambda total: bar)
    run = SimpleNamespace(recipe=SimpleNamespace(steps=2), folder=tmp_path)
    prepared = networks.Prepared(run, lambda config, dtype: plan, updates)
    base = networks.Base(networks=networks.Networks(None, None, None), file=tmp_path / "model.safetensors")
    try:
        networks.train_roles(base, tmp_path / "out.safetensors", "", 1, lambda bar: prepared)
        assert not is_interrupted
    except comfy.model_management.InterruptProcessingException:
        assert is_interrupted
    finally:
        comfy.model_management.interrupt_current_processing(False)
    assert closed == [True] and [each() for each in kept] == [None]
    assert torch.is_inference_mode_enabled()
