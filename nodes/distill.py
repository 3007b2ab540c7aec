"""The node that makes a model of few steps."""

from comfy_api.latest import io, ui

from ..zimage_core.checkpoints import comfyui_state, read_lora
from ..zimage_core.recipes.distillation_config import MOST_NFE, DistillationConfig
from .bridge.loading.page_language import words_drawn
from .bridge.tasks.training import distill, prompt_list, student_told
from .chinese_words import DRAWN_IN_CHINESE, IN_CHINESE
from .datasets import CATEGORY, MOST_SIDE, SIDE_STEP
from .sampler_inputs import CLIP_INPUT, VAE_INPUT, seed_input


class ZImageDistill(io.ComfyNode):
    """A LoRA with which a base model draws in few steps without guidance."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageDistill",
            display_name="Z-Image Distill",
            category=CATEGORY,
            description="Makes your own Turbo: a LoRA with which a base model or a fine-tune of it draws in few steps "
            "at CFG 1, learned from prompts alone. Cancel keeps what was learned; the same graph queued again goes on.",
            search_aliases=["distillation", "turbo", "few steps", "dmd", "lightning", *IN_CHINESE["ZImageDistill"]],
            inputs=[*_networks(), *_widgets(), *_advanced()],
            outputs=[
                io.Custom("LORA_MODEL").Output(
                    display_name="lora", tooltip="For the stock Load LoRA Model and Save LoRA Weights."
                ),
                io.Image.Output(
                    display_name="sheet",
                    tooltip="The first prompts: the teacher's pictures, and the student's in 1, 2, 4 and 8 steps.",
                ),
                io.String.Output(display_name="report", tooltip="How near it came, and where the file lies."),
            ],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, prompts_file: str, **inputs: object) -> str:
        return prompt_list.state(prompts_file)

    @classmethod
    def execute(cls, model, clip, vae, **widgets) -> io.NodeOutput:
        asked = distill.asked_of(distill.Networks(model, clip, vae), distill.DistillChoices(**widgets))
        distill.train_student(asked)
        lora = read_lora(asked.config.out)
        sheet, small = student_told.drawn(asked, lora, words_drawn(DRAWN_IN_CHINESE, *asked.config.previews))
        report = student_told.report(asked)
        shown = {"text": [report], **ui.PreviewImage(small).as_dict()}
        return io.NodeOutput(comfyui_state(lora), sheet, report, ui=shown)


def _networks() -> list[io.Input]:
    return [
        io.Model.Input(
            "model",
            tooltip="The teacher, from Z-Image Load Model or the stock Load Diffusion Model: a base model or a "
            "fine-tune of it, not Turbo, without LoRAs.",
        ),
        io.Clip.Input("clip", display_name="CLIP", tooltip=CLIP_INPUT),
        io.Vae.Input("vae", display_name="VAE", tooltip=VAE_INPUT),
    ]


def _widgets() -> list[io.Input]:
    return [
        io.String.Input(
            "prompts",
            multiline=True,
            dynamic_prompts=False,
            default="",
            placeholder="prompts, one a line",
            tooltip="What is learned, one prompt a line: what you draw, in your words; some hundred are good. The "
            "first two are drawn on the node. Empty takes the file's, or nano's own for nano.",
        ),
        io.Combo.Input(
            "prompts_file",
            display_name="prompts file",
            options=prompt_list.prompt_files(),
            default=prompt_list.NO_FILE,
            tooltip="A text file in ComfyUI's input folder with a prompt a line, added to those above. Press R after "
            "putting a new one there.",
        ),
        io.Int.Input(
            "steps",
            default=DistillationConfig.nfe,
            min=1,
            max=MOST_NFE,
            tooltip="Steps that the student draws in (NFE), at CFG 1: 8 as Turbo, 4 for more speed.",
        ),
        io.Combo.Input(
            "method",
            options=list(distill.METHODS),
            default=distill.METHODS[0],
            tooltip="decoupled-dmd, by which Z-Image-Turbo was made; dmd2, the method before it.",
        ),
        io.Int.Input(
            "training_steps",
            display_name="training steps",
            default=0,
            min=0,
            max=1_000_000,
            tooltip="Updates of the student, each after five of the score that holds it. 0 takes 1000, for nano 600.",
        ),
        io.String.Input("name", default="my_turbo", tooltip="Of the file in output/loras."),
    ]


def _advanced() -> list[io.Input]:
    return [
        seed_input(
            "Which noise, levels and prompts are drawn. The same seed makes the same student.",
            control_after_generate=False,
            is_advanced=True,
        ),
        io.Float.Input(
            "learning_rate",
            display_name="learning rate",
            default=0.0,
            min=0.0,
            max=1.0,
            step=1e-6,
            round=False,
            advanced=True,
            tooltip="0 takes 0.00002, for nano 0.0002.",
        ),
        io.Int.Input(
            "rank",
            default=0,
            min=0,
            max=512,
            advanced=True,
            tooltip="How much the LoRA can hold. 0 takes 64, for nano 16.",
        ),
        io.Float.Input(
            "cfg",
            display_name="CFG",
            default=0.0,
            min=0.0,
            max=100.0,
            step=0.1,
            advanced=True,
            tooltip="The teacher's guidance, which goes into the student. 0 takes 4, for nano 3.",
        ),
        io.Int.Input(
            "batch_size",
            default=0,
            min=0,
            max=256,
            advanced=True,
            tooltip="Prompts in each update. 0 takes 4, for nano 16.",
        ),
        io.Int.Input(
            "resolution",
            default=0,
            min=0,
            max=MOST_SIDE,
            step=SIDE_STEP,
            advanced=True,
            tooltip="Side of the square pictures it learns on, in pixels. 0 takes 1024, for nano 64; 512 trains four "
            "times as fast.",
        ),
        io.Int.Input(
            "checked",
            default=DistillationConfig.checked,
            min=0,
            max=1000,
            advanced=True,
            tooltip="How many prompts are drawn now and then beside the teacher's pictures. Where they get worse, "
            "training ends and the best student is saved. 0 never looks.",
        ),
    ]


NODES: list[type[io.ComfyNode]] = [ZImageDistill]
