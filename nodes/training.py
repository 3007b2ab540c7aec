"""The nodes that train: a LoRA from a dataset, and what a recipe says."""

from comfy_api.latest import io, ui

from .bridge.loading import files
from .bridge.tasks.training import lora as training
from .bridge.tasks.training import recipe as recipes
from .bridge.tasks.training.sockets import Sockets
from .chinese_words import IN_CHINESE
from .datasets import CATEGORY, DATASET
from .sampler_inputs import CLIP_INPUT, MODEL_INPUT, VAE_INPUT, seed_input


def learning_inputs() -> list[io.Input]:
    """The networks, and what they learn."""
    return [
        io.Model.Input("model", tooltip=f"{MODEL_INPUT} Without LoRAs; best the base model, not Turbo."),
        io.Clip.Input("clip", tooltip=CLIP_INPUT),
        io.Vae.Input("vae", tooltip=VAE_INPUT),
        DATASET.Input("dataset", tooltip="What is to be learned, from Z-Image Dataset or Z-Image Edit Dataset."),
    ]


def keep_input() -> io.Input:
    return DATASET.Input(
        "keep",
        optional=True,
        tooltip="Pictures of what must not change (regularization). Each step takes as many of them.",
    )


def turbo_inputs() -> list[io.Input]:
    """What training on Turbo needs."""
    return [
        io.Combo.Input(
            "training_adapter",
            display_name="training adapter",
            options=files.lora_choices(),
            default=files.NO_LORA,
            advanced=True,
            tooltip="A de-distillation LoRA, which makes it possible to train on Turbo: in while training, not "
            "in the result.",
        ),
        io.Boolean.Input(
            "accept_losing_8_steps",
            display_name="accept losing 8 steps",
            default=False,
            advanced=True,
            tooltip="Train on Turbo itself: what is learned makes it need more steps.",
        ),
    ]


def told_outputs() -> list[io.Output]:
    return [
        io.Custom("LOSS_MAP").Output(display_name="loss", tooltip="For the stock Plot Loss Graph."),
        io.String.Output(display_name="report", tooltip="Steps, loss, and where the file lies."),
    ]


class ZImageTrainLora(io.ComfyNode):
    """A LoRA from a dataset."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageTrainLora",
            display_name="Z-Image Train LoRA",
            category=CATEGORY,
            description="Trains a LoRA on pictures and saves it in output/loras. Cancel keeps what was learned; the "
            "same graph queued again goes on.",
            search_aliases=["train lora", "fine-tune", "dreambooth", "finetune", *IN_CHINESE["ZImageTrainLora"]],
            inputs=[
                *learning_inputs(),
                io.String.Input("name", default="my_lora", tooltip="Of the file in output/loras."),
                io.Int.Input(
                    "training_steps",
                    display_name="training steps",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="0 takes 100 for each picture, at least 500 and at most 3000.",
                ),
                io.Int.Input(
                    "rank", default=32, min=1, max=512, tooltip="How much a LoRA can hold; its alpha is equal."
                ),
                io.Float.Input(
                    "learning_rate",
                    display_name="learning rate",
                    default=1e-4,
                    min=1e-7,
                    max=1.0,
                    step=1e-6,
                    round=False,
                    tooltip="0.0001 suits the released models; nano, which is tiny, needs 0.002.",
                ),
                seed_input("Which order, noise and levels are drawn. The same seed trains the same LoRA."),
                keep_input(),
                io.Int.Input("batch_size", default=1, min=1, max=256, advanced=True, tooltip="Pictures in each step."),
                io.String.Input(
                    "trigger", default="", advanced=True, tooltip="The word to write in prompts; noted in the file."
                ),
                *turbo_inputs(),
                io.Combo.Input(
                    "kind",
                    options=["lora", "lokr", "dora"],
                    default="lora",
                    optional=True,
                    advanced=True,
                    tooltip="lora; lokr, an eighth as many numbers that reach more of a weight; dora, a LoRA that also "
                    "learns the length of every row and takes longer.",
                ),
            ],
            outputs=[
                io.Custom("LORA_MODEL").Output(
                    display_name="lora", tooltip="For the stock Load LoRA Model and Save LoRA Weights."
                ),
                *told_outputs(),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, model, clip, vae, dataset, name, training_steps, keep=None, **widgets) -> io.NodeOutput:
        choices = training.Choices(name=name, steps=training_steps, **widgets)
        trained, lora = training.train_lora(Sockets(model, clip, vae, dataset, keep), choices)
        return io.NodeOutput(lora, {"loss": trained.losses}, trained.report, ui=ui.PreviewText(trained.report))


class ZImageTrain(io.ComfyNode):
    """What a recipe says."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageTrain",
            display_name="Z-Image Train",
            category=CATEGORY,
            description="Trains what a recipe says, an adapter or all weights, in one or several stages. Cancel keeps "
            "what was learned; the same graph queued again goes on.",
            search_aliases=["train", "fine-tune", "recipe", "full training", *IN_CHINESE["ZImageTrain"]],
            inputs=[
                *learning_inputs(),
                io.Combo.Input(
                    "recipe",
                    options=recipes.recipe_names(),
                    tooltip="A TOML file in ComfyUI's input folder, or one of those that come with the pack. Model, "
                    "pictures and file are this node's, device and precision ComfyUI's; everything else is as the "
                    "recipe says.",
                ),
                io.String.Input(
                    "name",
                    default="my_model",
                    tooltip="Of the file in output/loras, or in output/diffusion_models where all weights are trained.",
                ),
                io.Int.Input(
                    "training_steps",
                    display_name="training steps",
                    default=0,
                    min=0,
                    max=1_000_000,
                    tooltip="Of each stage; 0 takes the recipe's.",
                ),
                keep_input(),
                *turbo_inputs(),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="The model with what was learned, for any sampler."),
                *told_outputs(),
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, recipe: str, **inputs: object) -> str:
        return recipes.state(recipe)

    @classmethod
    def execute(cls, model, clip, vae, dataset, keep=None, **widgets) -> io.NodeOutput:
        trained, learned = recipes.train_recipe(
            Sockets(model, clip, vae, dataset, keep), recipes.RecipeChoices(**widgets)
        )
        return io.NodeOutput(learned, {"loss": trained.losses}, trained.report, ui=ui.PreviewText(trained.report))


NODES: list[type[io.ComfyNode]] = [ZImageTrainLora, ZImageTrain]
