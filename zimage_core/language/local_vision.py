"""A vision-language model in a folder of one's own, by transformers: Qwen-VL and whatever else that library knows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from .back_end import Question, Text
from .chat import split_thought

CONFIG, LARGEST = "config.json", 1536  # pixels a side; larger pictures cost memory, not insight


def is_vision_folder(folder: Path) -> bool:
    """Whether a folder holds a model as transformers saves one, with what turns pictures into its input."""
    names = ("preprocessor_config.json", "processor_config.json")
    return (folder / CONFIG).is_file() and any((folder / name).is_file() for name in names)


@dataclass(frozen=True)
class VisionFolder:
    """Loaded with the first question; only files of the folder are read, and no code in it is run."""

    folder: Path
    device: str = "cpu"
    reads_instructions: bool = True
    sees: bool = True

    @property
    def name(self) -> str:
        """The folder's, and the size of its weights, so that another model of that name is another."""
        bytes_there = sum(file.stat().st_size for file in self.folder.glob("*.safetensors"))
        return f"{self.folder.name} ({bytes_there} bytes)"

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        if find_spec("transformers") is None:
            raise ValueError("a vision-language model in a folder needs the package transformers; install it with pip")
        from transformers import AutoModelForImageTextToText, AutoProcessor

        here = {"local_files_only": True, "trust_remote_code": False}
        try:
            processor: Any = AutoProcessor.from_pretrained(self.folder, **here)
            model: Any = AutoModelForImageTextToText.from_pretrained(
                self.folder, dtype="auto", use_safetensors=True, **here
            )
        except (OSError, ValueError, KeyError, ImportError, AttributeError) as error:
            told = " ".join(str(error).split())[:300]
            raise ValueError(
                f"{self.folder.name} is no vision-language model that transformers can load ({told}); choose another"
            ) from error
        return processor, model.to(self.device).eval()

    def write(self, question: Question) -> Iterator[Text]:
        """A thought, where the answer has one, then the answer, when it is done."""
        processor, model = self._loaded
        read = processor.apply_chat_template(
            messages(question), add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        ).to(model.device)
        sampling, budgets = question.sampling, question.budgets
        is_drawn = sampling.temperature > 0
        drawn = {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
        with (
            torch.random.fork_rng(devices=[] if model.device.type == "cpu" else [model.device]),
            torch.inference_mode(),
        ):
            torch.manual_seed(question.seed % 2**63)
            ids = model.generate(
                **read,
                max_new_tokens=budgets.thought + budgets.answer,
                do_sample=is_drawn,
                **(drawn if is_drawn else {}),
            )
        [told] = processor.batch_decode(ids[:, read["input_ids"].shape[1] :], skip_special_tokens=True)
        thought, answer = split_thought(told)
        if thought:
            yield Text("thought", thought)
        yield Text("answer", answer)


def messages(question: Question) -> list[dict[str, Any]]:
    """A question as transformers' chat templates take one."""
    shown: list[dict[str, Any]] = []
    for picture in question.pictures:
        small = picture.copy()
        small.thumbnail((LARGEST, LARGEST))
        shown.append({"type": "image", "image": small})
    told = (
        [{"role": "system", "content": [{"type": "text", "text": question.instruction}]}]
        if question.instruction
        else []
    )
    return [*told, {"role": "user", "content": [*shown, {"type": "text", "text": question.prompt}]}]
