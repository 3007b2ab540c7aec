"""Z-Image Curate on the real server: nano draws concepts, what it draws worst gets pictures, and a LoRA learns them."""

import json
import shutil
from pathlib import Path

import pytest

from prompt_graphs import node

LOADERS = {
    "model": node("ZImageModelLoader", model_name="nano (built in)", precision="automatic"),
    "clip": node("ZImageTextEncoderLoader", text_encoder_name="nano (built in)"),
    "vae": node("ZImageVAELoader", vae_name="nano (built in)"),
    "latent": node("ZImageEmptyLatent", ratio="1:1", megapixels=0.004, batch_size=1),
}
ROUND = {
    **{name: [name, 0] for name in LOADERS},
    "folder": "zorps (built in)",
    "candidates": "what nano knows (built in)",
    "score": "nano's scene",
    "concepts": "large red heart\nsmall green ring",
    "most_concepts": 12,
    "per_concept": 2,
    "worst": 6,
    "proposed": 2,
    "choices": "",
    "concepts_file": "none",
    "seed": 0,
    "reader": "automatic",
    "steps": 1,
    "cfg": 1.0,
    "solver": "euler",
    "shift": 3.0,
    "filename_prefix": "curation_of_a_test",
}


@pytest.mark.slow
def test_a_round_on_the_server_trains_and_the_same_graph_draws_nothing_again(server, run):
    graph = {
        **LOADERS,
        "round": node("ZImageCurate", **ROUND),
        "data": node("ZImageDataset", folder="none", caption="", resolution=64, manifest=["round", 0]),
    }
    shown = {}

    def keep(kind, data):
        if kind == "executed":
            shown[data["node"]] = data["output"]

    try:
        assert run(graph, keep).error is None
        [place] = (server.base / "output" / "curation_of_a_test").iterdir()
        scores = [json.loads(line) for line in (place / "scores.jsonl").read_text().splitlines()]
        assert {each["concept"] for each in scores} == {"large red heart", "small green ring"} and len(scores) == 4
        learned = [json.loads(line) for line in (place / "manifest.jsonl").read_text().splitlines()]
        [table] = shown["round"]["zimage_curate"]
        new = sum(map(len, table["groups"]))
        assert len(learned) == 20 + new and f"{len(learned)} pictures" in shown["data"]["text"][0]
        assert all(Path(each["file_name"]).is_file() for each in learned)
        graph["round"] = node("ZImageCurate", **ROUND | {"choices": "drop fox.png"})
        assert run(graph, keep).error is None
        assert len((place / "scores.jsonl").read_text().splitlines()) == 4
    finally:
        shutil.rmtree(server.base / "output" / "curation_of_a_test", ignore_errors=True)
