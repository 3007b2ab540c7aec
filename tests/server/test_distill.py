"""A student distilled on the real server; cancelled, it goes on to the same file. What cannot teach is a sentence."""

from safetensors import safe_open

from prompt_graphs import loaders, node, text_to_image

UPDATES = 8  # of the student, each after two of the score
STEPS = 3 * UPDATES  # of the runner
SETTINGS = {
    **{"prompts": "a red heart\na small blue star", "prompts_file": "none", "steps": 2, "method": "decoupled-dmd"},
    **{"training_steps": UPDATES, "name": "student", "seed": 3, "learning_rate": 0.01, "rank": 2, "cfg": 0.0},
    **{"batch_size": 1, "resolution": 32, "checked": 1},
}


def graph(**settings):
    """Distillation, and a picture drawn with the student."""
    drawn = text_to_image("a red heart", seed=1)
    drawn["lora"] = node("LoraModelLoader", model=["model", 0], lora=["distill", 0], strength_model=1.0, bypass=False)
    drawn["sampler"]["inputs"]["model"] = ["lora", 0]
    sockets = {"model": ["model", 0], "clip": ["clip", 0], "vae": ["vae", 0]}
    return {**drawn, "distill": node("ZImageDistill", **sockets, **{**SETTINGS, **settings})}


def tensors(file):
    with safe_open(file, "pt") as opened:
        return opened.metadata(), {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118


def test_a_cancelled_distillation_goes_on_to_the_file_of_one_that_was_not(server, run):
    steps, told = [], []

    def interrupt_early(kind, data):  # a busy machine takes a while to hear of it
        if kind == "progress" and data["node"] == "distill" and data["max"] == STEPS:
            steps.append(data["value"])
            if data["value"] == 2:
                server.post("/interrupt", {})

    def note(kind, data):
        if kind == "executed" and data["node"] == "distill":
            told.append(data["output"])

    loras, states = server.base / "output" / "loras", server.base / "output" / "zimage_training"
    stopped = run(graph(name="stopped"), interrupt_early)
    assert stopped.is_interrupted and steps[0] == 0 and steps[-1] < STEPS
    assert not (loras / "stopped.safetensors").exists()
    for name in ("stopped", "whole"):
        result = run(graph(name=name), note)
        assert result.error is None, result.error
    (said, found), (_, expected) = (tensors(loras / f"{name}.safetensors") for name in ("stopped", "whole"))
    assert found.keys() == expected.keys() and all(found[key].equal(each) for key, each in expected.items())
    assert (said["modelspec.title"], said["zimage.sampling"]) == ("stopped", "2 steps, cfg 1, euler, shift 3")
    for file in ("curve.jsonl", "checks.jsonl"):
        stopped, whole = ([*states.glob(f"{name}-*/{file}")][0].read_text() for name in ("stopped", "whole"))
        assert stopped == whole and len(stopped.splitlines()) > 3
    assert "2 prompts, for 2 steps at CFG 1" in told[0]["text"][0] and "saturation: " in told[0]["text"][0]
    assert len(told[0]["images"]) == 1
    other = run(graph(name="whole", rank=3))
    assert "already and was trained with other" in other.error["exception_message"]


def test_what_cannot_teach_or_be_learned_is_said_on_the_node(run):
    def message(changed):
        return run(changed).error["exception_message"]

    turbo = {**graph(), **loaders("z_image_turbo_bf16.safetensors", "qwen_3_4b.safetensors", "ae.safetensors")}
    assert "is a Turbo model and cannot teach" in message(turbo)
    base = loaders("z_image_bf16.safetensors", "qwen_3_4b.safetensors", "ae.safetensors")
    assert "There is no prompt to learn from" in message({**graph(prompts=" \n"), **base})
    patched = graph()
    patched["distill"]["inputs"]["model"] = ["patched", 0]
    lora = {"lora_name": "pixel_art_style_z_image_turbo.safetensors", "strength_model": 1.0}
    patched["patched"] = node("LoraLoaderModelOnly", model=["model", 0], **lora)
    patched |= {name: each for name, each in base.items() if name == "model"}
    assert "a LoRA is learned here on a model in one file" in message(patched)
    assert "CFG 0.5 is less than no guidance" in message({**graph(cfg=0.5), **base})
    assert "no file name inside output/loras" in message(graph(name="../out"))
