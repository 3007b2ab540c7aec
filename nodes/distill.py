"""The node that makes a model of few steps."""

from comfy_api.latest import io, ui

from ..zimage_core.checkpoints import comfyui_state, read_lora
from ..zimage_core.recipes.distillation_config import MOST_NFE, DistillationConfig
from .bridge.loading.page_language import words_drawn
from .bridge.tasks.training import beside, distill, prompt_list
from .bridge.tasks.training.networks import Networks
from .chinese_words import DRAWN_IN_CHINESE, IN_CHINESE
from .datasets import CATEGORY
from .student_inputs import checked_input, drawing_inputs, network_inputs, prompts_file_input, student_outputs


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
            inputs=[
                *network_inputs(
                    "The teacher, from Z-Image Load Model or the stock Load Diffusion Model: a base model or a "
                    "fine-tune of it, not Turbo, without LoRAs."
                ),
                *_widgets(),
                *drawing_inputs(
                    seed="Which noise, levels and prompts are drawn. The same seed makes the same student.",
                    rate="0 takes 0.00002, for nano 0.0003.",
                    rank="How much the LoRA can hold. 0 takes 64, for nano 16.",
                    cfg="The teacher's guidance, which goes into the student. 0 takes 4, for nano 3.",
                    batch="Prompts in each update. 0 takes 4, for nano 32.",
                ),
                checked_input(DistillationConfig.checked),
            ],
            outputs=student_outputs(
                "The first prompts: the teacher's pictures, and the student's in 1, 2, 4 and 8 steps."
            ),
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, prompts_file: str, **inputs: object) -> str:
        return prompt_list.state(prompts_file)

    @classmethod
    def execute(cls, model, clip, vae, **widgets) -> io.NodeOutput:
        asked = distill.asked_of(Networks(model, clip, vae), distill.DistillChoices(**widgets))
        distill.train_student(asked)
        lora = read_lora(asked.config.out)
        sheet, small = beside.student_sheets(asked, lora, words_drawn(DRAWN_IN_CHINESE, *asked.config.previews))
        report = beside.student_report(asked)
        shown = {"text": [report], **ui.PreviewImage(small).as_dict()}
        return io.NodeOutput(comfyui_state(lora), sheet, report, ui=shown)


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
        prompts_file_input(is_advanced=None),
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
            tooltip="Updates of the student, each after five of the score that holds it, for nano two. 0 takes 1000, "
            "for nano 60.",
        ),
        io.String.Input("name", default="my_turbo", tooltip="Of the file in output/loras."),
    ]


NODES: list[type[io.ComfyNode]] = [ZImageDistill]
