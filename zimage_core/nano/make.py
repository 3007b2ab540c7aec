"""`make nano`: trains the built-in model stage by stage, exports it, and judges it.

It can be interrupted at any time; called again, it resumes where it stopped.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from tqdm import tqdm

from ..checkpoints import DIT, TEXT_ENCODER, VAE, VISION, load_dit, load_text_encoder, load_vae, load_vision
from ..model import S3DiT
from ..text import load_tokenizer
from ..training import Ema, Progress, Recipe
from ..training.mixture import DrawnExamples
from .captioner import READER
from .data.captions import LANGUAGES
from .data.scenes import training_scenes
from .export import EVERY_MATRIX, VISION_BRANCH, export, export_tensors
from .files import FOLDER, PREVIEW, TOKENIZER, TURBO, file_of
from .judging.prompt_score import PromptScore
from .stages import (
    autoencoder,
    captioner,
    editing,
    instructions,
    pair_captions,
    preview,
    reader,
    recipe_sets,
    text_encoder,
    transformer,
    turbo,
    vision,
    writer,
)
from .stages.by_recipe import stages_of_recipe, train_by_recipe
from .stages.drawn_examples import DrawnScenes
from .stages.tokenizer import build_tokenizer
from .writer import WRITER, load_writing_model


def run_with_progress(name: str, total: int, progress: Iterator[Progress]) -> None:
    """Run a stage to its end with a progress bar."""
    smooth = 0.0
    with tqdm(total=total, desc=name, unit="step", dynamic_ncols=True) as bar:
        for state in progress:
            smooth = state.loss if not smooth else 0.98 * smooth + 0.02 * state.loss
            bar.update(state.step + 1 - bar.n)
            bar.set_postfix(loss=f"{smooth:.4f}", grad=f"{state.grad_norm:.2f}", refresh=False)


def run_recipe(dit: S3DiT, name: str, sets: Mapping[str, DrawnExamples], folder: Path) -> None:
    """Train by the recipe of a name, stage after stage."""
    scenes = sets["nano:all-scenes"]
    assert isinstance(scenes, DrawnScenes)
    [no_caption] = scenes.read([""])
    for stage in stages_of_recipe(name):
        progress = train_by_recipe(dit, stage, sets, no_caption, folder)
        run_with_progress(stage.name or name, stage.config.steps or 0, progress)


def make_tokenizer(folder: Path, weights: Path) -> None:
    """Stage 1; it keeps no state."""
    build_tokenizer(weights / TOKENIZER)


def make_autoencoder(folder: Path, weights: Path) -> None:
    """Stage 2."""
    vae, recipe = autoencoder.untrained_autoencoder(), autoencoder.RECIPE
    ema = Ema(vae, recipe.ema_decay)
    run_with_progress("autoencoder", recipe.steps, autoencoder.train_autoencoder(vae, ema, folder / "autoencoder"))
    with ema.applied():
        scenes = training_scenes()[::9]
        autoencoder.scale_latents(vae, autoencoder.render_batch(scenes, range(len(scenes))))
        export(vae, file_of(VAE, weights))


def make_text_encoder(folder: Path, weights: Path) -> None:
    """Stage 3."""
    tokenizer = load_tokenizer(weights / TOKENIZER)
    classifier, recipe = text_encoder.CaptionClassifier(), text_encoder.RECIPE
    ema = Ema(classifier, recipe.ema_decay)
    progress = text_encoder.train_caption_classifier(classifier, tokenizer, ema, folder / "text_encoder")
    run_with_progress("text encoder", recipe.steps, progress)
    with ema.applied():
        export(classifier.text, file_of(TEXT_ENCODER, weights))


def make_instructions(folder: Path, weights: Path) -> None:
    """Stage 4, which goes on from stage 3's file and replaces it."""
    tokenizer = load_tokenizer(weights / TOKENIZER)
    text = load_text_encoder(weights, torch.float32)
    classifier, recipe = instructions.InstructionClassifier(text), instructions.RECIPE
    ema = Ema(classifier, recipe.ema_decay)
    progress = instructions.train_instruction_classifier(classifier, tokenizer, ema, folder / "instructions")
    run_with_progress("instructions", recipe.steps, progress)
    with ema.applied():
        for language in LANGUAGES:
            rates = instructions.held_out_accuracy(classifier, tokenizer, language)
            tqdm.write(f"{language}, held out: " + ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items()))
        export(classifier.text, file_of(TEXT_ENCODER, weights))


def make_transformer(folder: Path, weights: Path) -> None:
    """Stage 5."""
    tokenizer = load_tokenizer(weights / TOKENIZER)
    text = load_text_encoder(weights, torch.float32)
    bank = transformer.latent_bank(load_vae(weights, torch.float32), folder / "latents.safetensors")
    scenes = transformer.drawn_scenes(bank, text, tokenizer)
    dit = transformer.empty_transformer()
    run_recipe(dit, "text_to_image", {"nano:all-scenes": scenes}, folder / "transformer")
    export(dit, file_of(DIT, weights))


def make_vision(folder: Path, weights: Path) -> None:
    """Stage 6, which needs nothing but renders."""
    classifier, recipe = vision.VisionClassifier(), vision.RECIPE
    ema = Ema(classifier, recipe.ema_decay)
    run_with_progress("vision", recipe.steps, vision.train_vision_classifier(classifier, ema, folder / "vision"))
    with ema.applied():
        tqdm.write(", ".join(f"{name} {rate:.3f}" for name, rate in vision.vision_accuracy(classifier).items()))
        export(classifier.tower, file_of(VISION, weights), EVERY_MATRIX)


def make_editing(folder: Path, weights: Path) -> None:
    """Stage 7, which goes on from stage 5's file and replaces it."""
    sets = recipe_sets.known_sets(folder, weights)
    dit = editing.add_vision_branch(load_dit(weights, torch.float32)).requires_grad_(True)
    run_recipe(dit, "editing", sets, folder / "editing")
    export(dit, file_of(DIT, weights), VISION_BRANCH)


def make_preview(folder: Path, weights: Path) -> None:
    """Stage 8, which needs stage 2's file; it keeps no state."""
    fitted = preview.fit_preview(load_vae(weights, torch.float32))
    export_tensors(fitted, weights / PREVIEW)


def make_writer(folder: Path, weights: Path) -> None:
    """Stage 9, which needs the tokenizer alone."""
    tokenizer = load_tokenizer(weights / TOKENIZER)
    network, recipe = writer.WriterNetwork(), writer.RECIPE
    ema = Ema(network, recipe.ema_decay)
    progress = writer.train_writer(network, tokenizer, ema, folder / "writer")
    run_with_progress("writer", recipe.steps, progress)
    with ema.applied():
        export_tensors(network.file_state(), weights / WRITER, EVERY_MATRIX)


def make_reader(folder: Path, weights: Path) -> None:
    """Stage 10, which needs stage 6's tower."""
    bank = reader.picture_bank(load_vision(weights, torch.float32), folder / "pictures.safetensors")
    network, recipe = reader.untrained_reader(), reader.RECIPE
    ema = Ema(network, recipe.ema_decay)
    run_with_progress("reader", recipe.steps, reader.train_reader(network, bank, ema, folder / "reader"))
    with ema.applied():
        export(network, weights / READER, EVERY_MATRIX)


def make_captioner(folder: Path, weights: Path) -> None:
    """Stage 11, which goes on from stage 9's file and replaces it."""
    _caption(folder / "captioner", weights, captioner.RECIPE, captioner.MIX)


def make_captioner_again(folder: Path, weights: Path) -> None:
    """Stage 12, which goes on from stage 11's file and replaces it."""
    _caption(folder / "captioner-again", weights, captioner.LAST_RECIPE, captioner.LAST_MIX)


def _caption(folder: Path, weights: Path, recipe: Recipe, mix: captioner.Mix) -> None:
    tokenizer = load_tokenizer(weights / TOKENIZER)
    language = writer.network_of(load_writing_model(weights))
    network = captioner.CaptionerNetwork(language, tokenizer)
    ema = Ema(network, recipe.ema_decay)
    progress = captioner.train_captioner(network, tokenizer, ema, folder, recipe, mix)
    run_with_progress(folder.name, recipe.steps, progress)
    with ema.applied():
        export_tensors(language.file_state(), weights / WRITER, EVERY_MATRIX)


def make_sizes(folder: Path, weights: Path) -> None:
    """Stage 13, which goes on from stage 7's file and replaces it."""
    _go_on("sizes", recipe_sets.sized_sets(folder, weights), folder, weights)


def make_pair_captions(folder: Path, weights: Path) -> None:
    """Stage 14, which goes on from stage 4's file and replaces it."""
    tokenizer = load_tokenizer(weights / TOKENIZER)
    classifier = pair_captions.pair_classifier(load_text_encoder(weights, torch.float32))
    recipe = pair_captions.RECIPE
    ema = Ema(classifier, recipe.ema_decay)
    progress = pair_captions.train_pair_classifier(classifier, tokenizer, ema, folder / "pair_captions")
    run_with_progress("captions of pairs", recipe.steps, progress)
    with ema.applied():
        for language in LANGUAGES:
            rates = pair_captions.held_out_accuracy(classifier, tokenizer, language)
            tqdm.write(f"{language}, held out: " + ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items()))
        export(classifier.text, file_of(TEXT_ENCODER, weights))


def make_pairs(folder: Path, weights: Path) -> None:
    """Stage 15, which goes on from stage 13's file and replaces it."""
    _go_on("pairs", recipe_sets.sized_sets(folder, weights), folder, weights)


def make_turbo(folder: Path, weights: Path) -> None:
    """Stage 16, a LoRA for whichever transformer is there."""
    run, captions = turbo.turbo_run(folder / "turbo", weights, [PromptScore()])
    (weights / TURBO).parent.mkdir(parents=True, exist_ok=True)
    run_with_progress("turbo", run.recipe.steps, run.updates(load_dit(weights, torch.float32), captions))


def _go_on(name: str, sets: Mapping[str, DrawnExamples], folder: Path, weights: Path) -> None:
    """The transformer that is there, by the recipe of a name."""
    dit = load_dit(weights, torch.float32).requires_grad_(True)
    run_recipe(dit, name, sets, folder / name)
    export(dit, file_of(DIT, weights), VISION_BRANCH)


# Each takes what it needs from the weights folder and leaves its result there.
STAGES: dict[str, Callable[[Path, Path], None]] = {
    "tokenizer": make_tokenizer,
    "autoencoder": make_autoencoder,
    "text": make_text_encoder,
    "instructions": make_instructions,
    "transformer": make_transformer,
    "vision": make_vision,
    "editing": make_editing,
    "preview": make_preview,
    "writer": make_writer,
    "reader": make_reader,
    "captioner": make_captioner,
    "captioner-again": make_captioner_again,
    "sizes": make_sizes,
    "pair-captions": make_pair_captions,
    "pairs": make_pairs,
    "turbo": make_turbo,
}
# only by name, until what they make is better than what is shipped
ASKED_FOR = ("sizes", "pair-captions", "pairs", "turbo")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m zimage_core.nano.make", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--folder", type=Path, default=Path("build/nano"), help="where training keeps its state")
    parser.add_argument("--weights", type=Path, default=FOLDER, help="where the finished weights go")
    parser.add_argument("--stages", nargs="+", choices=STAGES, help="which, in the order given")
    parser.add_argument("--threads", type=int, default=2, help="processor threads to use")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for stage in arguments.stages or [name for name in STAGES if name not in ASKED_FOR]:
        STAGES[stage](arguments.folder, arguments.weights)


if __name__ == "__main__":
    main()
