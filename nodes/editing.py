"""Prompts with reference pictures, for Omni and Edit models."""

from comfy_api.latest import io, ui

from .bridge.tasks import editing
from .chinese_words import IN_CHINESE
from .sampler_inputs import CLIP_INPUT, VAE_INPUT

LOOK, IGNORE, LATENTS = "look at them", "ignore", "look at their latents"
FIRST, LAST = "first picture", "last picture"
MOST_PICTURES = 32


class ZImageEditEncode(io.ComfyNode):
    """Encodes an instruction together with reference pictures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageEditEncode",
            display_name="Z-Image Edit Encode",
            category="Z-Image/conditioning",
            description="Encodes an instruction and any number of reference pictures for Z-Image Omni and Edit models, "
            "with the empty latent to draw the result into.",
            search_aliases=[
                "edit",
                "omni",
                "reference image",
                "image to image",
                "siglip",
                "text encode omni",
                "kontext",
                *IN_CHINESE["ZImageEditEncode"],
            ],
            inputs=[
                io.Clip.Input(
                    "clip",
                    display_name="CLIP",
                    tooltip=CLIP_INPUT,
                ),
                io.Vae.Input(
                    "vae",
                    display_name="VAE",
                    tooltip=VAE_INPUT,
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="SigLIP 2 so400m NaFlex from Z-Image Load Vision or the stock Load CLIP Vision. Without it "
                    "the model sees the pictures' latents only.",
                ),
                io.String.Input(
                    "prompt",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="What to do with the pictures, in English or Chinese: make the circle red, put the cat of "
                    "picture 1 into the room of picture 2.",
                ),
                io.String.Input(
                    "negative_prompt",
                    display_name="negative prompt",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="What the result should not be like. It may stay empty.",
                ),
                io.Autogrow.Input(
                    "images",
                    optional=True,
                    tooltip="Pictures to look at, in the order the instruction counts them; a free input appears for "
                    "each one connected. Every picture of a batch counts.",
                    template=io.Autogrow.TemplatePrefix(
                        io.Image.Input("image", tooltip="A picture to look at; its transparency is left out."),
                        prefix="image",
                        min=0,
                        max=MOST_PICTURES,
                    ),
                ),
                io.Float.Input(
                    "megapixels",
                    default=1.0,
                    min=0.0,
                    max=16.0,
                    step=0.01,
                    tooltip="Larger pictures are shrunk to this area, as the reference pipeline does; 0 keeps every "
                    "size. Each megapixel costs as much time as drawing one.",
                ),
                io.Combo.Input(
                    "size_of",
                    display_name="size of",
                    options=[FIRST, LAST],
                    default=FIRST,
                    tooltip="Which picture's size the result gets. The reference pipeline takes the last one's.",
                ),
                io.Combo.Input(
                    "pictures",
                    options=[LOOK, IGNORE, LATENTS],
                    default=LOOK,
                    tooltip="Ignore draws from the words alone, for Turbo and base models, which cannot look at "
                    "pictures; only the size is still taken from them. Their latents alone are for a base model with "
                    "a LoRA that was trained on pairs.",
                ),
                io.Combo.Input(
                    "reading",
                    options=list(editing.RULES),
                    default=next(iter(editing.RULES)),
                    advanced=True,
                    tooltip="How words and pictures are laid out, where published programs differ: reference is "
                    "diffusers without its slip in caption positions, diffusers is with it, ComfyUI is the stock "
                    "node's. Keep reference unless you compare programs.",
                ),
                io.Model.Input(
                    "model",
                    optional=True,
                    tooltip="Connect the model to be told here, and not first by the sampler, if it cannot look at "
                    "pictures.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(display_name="positive", tooltip="The instruction with the pictures."),
                io.Conditioning.Output(display_name="negative", tooltip="The negative prompt with the same pictures."),
                io.Latent.Output(display_name="latent", tooltip="An empty latent of the result's size."),
                io.String.Output(display_name="report", tooltip="The pictures as the model sees them, and the tokens."),
            ],
        )

    @classmethod
    def execute(
        cls,
        clip,
        vae,
        prompt: str,
        negative_prompt: str,
        megapixels: float,
        size_of: str,
        pictures: str,
        reading: str,
        images: io.Autogrow.Type | None = None,
        clip_vision=None,
        model=None,
    ) -> io.NodeOutput:
        batches = [image for image in (images or {}).values() if image is not None]
        prompts, sized_by = (prompt, negative_prompt), 0 if size_of == FIRST else -1
        if pictures == IGNORE:
            edit = editing.encode_text_only(clip, prompts, batches, megapixels=megapixels, sized_by=sized_by)
        else:
            editing.check_can_edit(model, batches, latents_alone=pictures == LATENTS)
            edit = editing.encode(
                clip,
                vae,
                clip_vision,
                prompts,
                batches,
                megapixels=megapixels,
                sized_by=sized_by,
                rules=editing.RULES[reading],
                latents_alone=pictures == LATENTS,
            )
        return io.NodeOutput(edit.positive, edit.negative, edit.latent, edit.report, ui=ui.PreviewText(edit.report))


NODES: list[type[io.ComfyNode]] = [ZImageEditEncode]
