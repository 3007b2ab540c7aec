"""A taste learned on the real server from pictures that were chosen there; what cannot be learned is a sentence."""

from safetensors import safe_open

from prompt_graphs import loaders, node, text_to_image

SETTINGS = {
    **{"preferences": "liked", "method": "dpo", "prompts": "", "score": "saturation", "training_steps": 2},
    **{"name": "liked", "prompts_file": "none", "seed": 3, "learning_rate": 0.01, "rank": 2, "cfg": 0.0},
    **{"batch_size": 1, "resolution": 0, "checked": 0, "reader": "automatic"},
}


def graph(**settings):
    """A LoRA from pairs, and a picture drawn with it."""
    drawn = text_to_image("a star", seed=1)
    drawn["lora"] = node("LoraModelLoader", model=["model", 0], lora=["taste", 0], strength_model=1.0, bypass=False)
    drawn["sampler"]["inputs"]["model"] = ["lora", 0]
    sockets = {"model": ["model", 0], "clip": ["clip", 0], "vae": ["vae", 0]}
    return {**drawn, "taste": node("ZImagePrefer", **sockets, **{**SETTINGS, **settings})}


def choose(server, run):
    """One choice between two pictures, under the name that the graph learns from."""
    drawn = text_to_image("a star", seed=3)
    drawn["latent"]["inputs"]["batch_size"] = 2
    drawn["prefer"] = node("ZImagePreference", images=["decode", 0], name="liked", prompt="")
    assert run(drawn).error is None
    query = {"arena": "liked", "kind": "preferences"}
    _, asked = server.post("/zimage/arena", query)
    assert server.post("/zimage/arena/vote", {**query, "pair": asked["pair"]["id"], "choice": "left"})[0] == 200


def test_a_taste_is_learned_from_what_was_chosen_and_what_cannot_be_is_said(server, run):
    def message(changed):
        return run(changed).error["exception_message"]

    assert "there is no such file" in message(graph())
    choose(server, run)
    told = []
    result = run(graph(), lambda kind, data: told.append(data) if kind == "executed" else None)
    assert result.error is None, result.error
    with safe_open(server.base / "output/loras/liked.safetensors", "pt") as opened:
        assert opened.metadata()["modelspec.title"] == "liked"
    [shown] = [each["output"] for each in told if each["node"] == "taste"]
    assert "liked.safetensors: learned from 1 pair\n" in shown["text"][0] and len(shown["images"]) == 1
    turbo = loaders("z_image_turbo_bf16.safetensors", "qwen_3_4b.safetensors", "ae.safetensors")
    assert "would take its few steps" in message({**graph(), **turbo})
    assert "lie outside ComfyUI's output and input folders" in message(graph(preferences="../other.jsonl"))
    assert "cannot be scored by word accuracy" in message(graph(method="grpo", score="word accuracy", prompts="a star"))
