"""A vision model behind an address, which is shown a picture and asked in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from ...chat_server import Answer, ChatServer, ChatServerError, NoServerError
from ...data_url import data_url
from ..lettering import Line, ReaderError

# LongText-Bench's and OneIG's question to their reader, Qwen2.5-VL
READ = (
    "Recognize the text in the image, only reply with the text content, "
    "but avoid repeating previously mentioned content. "
    "If no text is recognized, please reply with 'No text recognized'."
)
NOTHING_READ = "no text recognized"


@dataclass(frozen=True)
class VisionModel:
    """Asks about pictures."""

    server: ChatServer

    @property
    def name(self) -> str:
        """The model's."""
        return self.server.name

    def ask(self, picture: Image.Image, question: str, *, tokens: int = 512, wants_first: bool = False) -> Answer:
        """The likeliest answer; raises `ChatServerError` where there is none."""
        content = [
            {"type": "image_url", "image_url": {"url": data_url(picture)}},
            {"type": "text", "text": question},
        ]
        return self.server.ask([{"role": "user", "content": content}], tokens=tokens, wants_first=wants_first)

    def read(self, picture: Image.Image, language: str) -> Sequence[Line]:
        """As a reader of lettering, with the question of the benchmarks; it knows no boxes.

        Raises `ReaderError`, or `NoServerError` where nobody answers.
        """
        try:
            text = self.ask(picture, READ, tokens=1024).text.strip()
        except NoServerError:
            raise
        except ChatServerError as error:
            raise ReaderError(str(error)) from error
        if text.lower().rstrip(".").strip("'\"") == NOTHING_READ:
            return []
        return [Line(text=line.strip()) for line in text.splitlines() if line.strip()]
