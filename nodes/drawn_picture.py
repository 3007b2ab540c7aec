"""The node behind each picture of a comparison, which tells and shows it while the others are drawn."""

from comfy_api.latest import io, ui

from .chinese_words import IN_CHINESE


class ZImageDrawnPicture(io.ComfyNode):
    """One picture of a comparison."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="ZImageDrawnPicture",
            display_name="Z-Image Drawn Picture",
            category="Z-Image/image",
            description="One picture inside Z-Image Compare Models or Z-Image LoRA Test: shows it while the others are "
            "drawn.",
            search_aliases=["drawn picture", *IN_CHINESE["ZImageDrawnPicture"]],
            inputs=[
                io.Image.Input("images", tooltip="The picture that was drawn."),
                io.String.Input("label", default="", tooltip="Which one it is, as the comparison writes it."),
            ],
            outputs=[io.Image.Output(display_name="images", tooltip="The same picture.")],
            is_dev_only=True,
        )

    @classmethod
    def execute(cls, images, label) -> io.NodeOutput:
        return io.NodeOutput(images, ui={"text": [label], **ui.PreviewImage(images).as_dict()})


NODES: list[type[io.ComfyNode]] = [ZImageDrawnPicture]
