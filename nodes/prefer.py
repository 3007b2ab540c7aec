"""The node that teaches a model a taste."""

from comfy_api.latest import io, ui

from ..zimage_core.checkpoints import comfyui_state, read_lora
from ..zimage_core.nano.judging.prompt_score import PromptScore
from ..zimage_core.recipes import PreferenceConfig
from ..zimage_core.recipes.preference_config import FROM_PAIRS
from .bridge.loading.page_language import words_drawn
from .bridge.page.arena import rooms
from .bridge.tasks.training import beside, prefer, prompt_list
from .bridge.tasks.training.networks import Networks
from .chinese_words import DRAWN_IN_CHINESE, IN_CHINESE
from .datasets import CATEGORY
from .score_inputs import reader_input, score_input
from .student_inputs import checked_input, drawing_inputs, network_inputs, prompts_file_input, student_outputs


class ZImagePrefer(io.ComfyNode):
    """A LoRA from preference pairs, or from a score of what the model draws."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImagePrefer",
            display_name="Z-Image Prefer",
            category=CATEGORY,
            description="Teaches a model your taste: a LoRA from the pictures you chose in Z-Image Preference, or from "
            "a score of what it draws. Cancel keeps what was learned; the same graph queued again goes on.",
            search_aliases=["dpo", "grpo", "rlhf", "reward", "taste", *IN_CHINESE["ZImagePrefer"]],
            inputs=[
                *network_inputs("A base model or a fine-tune of it, straight from its loader and without LoRAs."),
                *_widgets(),
                prompts_file_input(),
                *drawing_inputs(
                    seed="Which pairs, noise and pictures are drawn. The same seed learns the same taste.",
                    rate="0 takes 0.0001, for nano 0.0005.",
                    rank="How much the LoRA can hold. 0 takes 32.",
                    cfg="Guidance of what is drawn. 0 takes the model's own.",
                    batch="Pairs, or prompts that are drawn, in each update. 0 takes 4.",
                ),
                checked_input(PreferenceConfig.checked),
                reader_input(),
            ],
            outputs=student_outputs("The first prompts, before and after."),
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, preferences=None, prompts_file=prompt_list.NO_FILE, **inputs: object) -> str:
        return f"{rooms.pairs_state(preferences)} {prompt_list.state(prompts_file)}"

    @classmethod
    def execute(cls, model, clip, vae, **widgets) -> io.NodeOutput:
        widgets["preferences"] = rooms.pairs_file(widgets["preferences"]) if widgets["method"] == FROM_PAIRS else None
        asked = prefer.asked_of(Networks(model, clip, vae), prefer.PreferChoices(**widgets))
        prefer.learn_taste(asked)
        lora = read_lora(asked.config.out)
        sheet, small = beside.taste_sheets(asked, lora, words_drawn(DRAWN_IN_CHINESE, *asked.config.previews))
        report = beside.taste_report(asked)
        shown = {"text": [report], **ui.PreviewImage(small).as_dict()}
        return io.NodeOutput(comfyui_state(lora), sheet, report, ui=shown)


def _widgets() -> list[io.Input]:
    return [
        io.String.Input(
            "preferences",
            default="my_taste",
            tooltip="What dpo learns from: the name of a folder in output/zimage_preferences, or the output of "
            "Z-Image Preference.",
        ),
        io.Combo.Input(
            "method",
            options=list(prefer.METHODS),
            default=prefer.METHODS[0],
            tooltip="dpo learns from chosen pictures; grpo from a score of what the model draws; nft likewise, but "
            "others saw it fail on Z-Image.",
        ),
        io.String.Input(
            "prompts",
            multiline=True,
            dynamic_prompts=False,
            default="",
            placeholder="prompts for grpo and nft, one a line",
            tooltip="What grpo and nft draw and measure, one prompt a line; dpo has those of its pictures.",
        ),
        score_input(PromptScore.name),
        io.Int.Input(
            "training_steps",
            display_name="training steps",
            default=0,
            min=0,
            max=1_000_000,
            tooltip="0 takes 300.",
        ),
        io.String.Input("name", default="my_taste", tooltip="Of the file in output/loras."),
    ]


NODES: list[type[io.ComfyNode]] = [ZImagePrefer]
