"""Our Qwen3 as a ComfyUI CLIP: stock encode nodes, LoRA, memory management and embeddings work on it."""

from functools import cache, partial
from pathlib import Path
from typing import Any

import comfy.sd
import comfy.sd1_clip
import comfy.supported_models_base
import torch
from comfy.text_encoders.z_image import ZImageTokenizer
from torch import Tensor

from ....zimage_core.checkpoints import TEXT_ENCODER, CheckpointError
from ....zimage_core.checkpoints.formats.files import tensor_files
from ....zimage_core.checkpoints.load import OpenedNetwork
from ....zimage_core.checkpoints.weights import Weights
from ....zimage_core.config import NANO_TEXT, TextConfig
from ....zimage_core.runtime.prompt_cache import file_identity
from ....zimage_core.text import TEMPLATE, Qwen3
from .embedding_table import EmbeddingTable
from .files import BUILT_IN_TOKENIZER, embeddings_folder
from .language_model import TOKENS_KEY, generate
from .prompt_cache import IDENTITY
from .weights import MIXED_PRECISION, load_weights, loadable_packed, open_file

MIN_LAYERS = 3


class ComfyQwen3(Qwen3):
    """The network inside ComfyUI's `SDClipModel`, which calls it with embeddings and asks for a hidden layer."""

    def __init__(self, settings: dict[str, Any], dtype: Any, device: Any, operations: Any) -> None:
        config: TextConfig = settings["zimage"]
        super().__init__(config, ops=operations, device=device, dtype=dtype)
        self.num_layers = config.n_layers
        self.dtype = dtype

    def get_input_embeddings(self) -> Any:
        """The embedding table that ComfyUI looks tokens up in."""
        return EmbeddingTable(self.model.embed_tokens)

    def forward(  # type: ignore[override]
        self,
        ids: Any,
        attention_mask: Any = None,
        *,
        embeds: Tensor,
        intermediate_output: int | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Features of embedded tokens (b, n, d) in float32; prompts have their exact length, so there is no mask."""
        n_layers = self.num_layers if intermediate_output is None else self.num_layers + 1 + intermediate_output
        if not 0 < n_layers <= self.config.n_layers_run:
            raise ValueError(
                f"This text encoder keeps {self.config.n_layers_run} of its {self.num_layers} layers; "
                "set CLIP Set Last Layer to -2 or earlier, or load the file with the stock CLIP loader."
            )
        features = super().forward(embeds.float(), n_layers=n_layers)
        return features, features


class Encoder(comfy.sd1_clip.SDClipModel):
    """ComfyUI's token handling around the network."""

    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: dict[str, Any] = {}) -> None:  # noqa: B006
        super().__init__(
            device=device,
            layer="hidden",
            layer_idx=-2,
            textmodel_json_config={},
            dtype=dtype,
            special_tokens={"pad": 0},  # never used: prompts have their exact length
            layer_norm_hidden_state=False,
            model_class=ComfyQwen3,
            enable_attention_masks=False,
            return_attention_masks=False,
            model_options=model_options,
        )

    def load_sd(self, sd: Any) -> tuple[list[str], list[str]]:
        """ComfyUI passes on `load_text_encoder`'s `state_dict`: here a function that loads weights into the network."""
        sd(self.transformer, assign=getattr(self, "can_assign_sd", False))
        return [], []


class TextEncoder(comfy.sd1_clip.SD1ClipModel):
    """What a CLIP socket carries."""

    file = ""  # the path of the encoder's file, where the layer that only writing needs is read

    def __init__(self, device: Any = "cpu", dtype: Any = None, model_options: dict[str, Any] = {}) -> None:  # noqa: B006
        super().__init__(device=device, dtype=dtype, name=TOKENS_KEY, clip_model=Encoder, model_options=model_options)

    def generate(self, tokens: Any, max_length: int = 256, seed: int | None = None, **settings: Any) -> list[int]:
        """What ComfyUI's own Generate Text asks for: the tokens that follow, the one that ends them included."""
        return generate(self, tokens, max_length, seed, settings)


def tokenizer_of(folder: Path) -> Any:
    """A ComfyUI tokenizer class over a folder with a `tokenizer.json`."""
    from transformers import PreTrainedTokenizerFast

    class FolderTokenizer(comfy.sd1_clip.SDTokenizer):
        def __init__(self, embedding_directory: Any = None, tokenizer_data: dict[str, Any] = {}) -> None:  # noqa: B006
            super().__init__(
                str(folder),
                pad_with_end=False,
                embedding_directory=None,
                embedding_key=TOKENS_KEY,
                tokenizer_class=PreTrainedTokenizerFast,
                has_start_token=False,
                has_end_token=False,
                pad_to_max_length=False,
                max_length=99999999,
                min_length=1,
                tokenizer_data=tokenizer_data,
            )

    class PromptTokenizer(comfy.sd1_clip.SD1Tokenizer):
        def __init__(self, embedding_directory: Any = None, tokenizer_data: dict[str, Any] = {}) -> None:  # noqa: B006
            super().__init__(
                embedding_directory=embedding_directory,
                tokenizer_data=tokenizer_data,
                name=TOKENS_KEY,
                tokenizer=FolderTokenizer,
            )

        def tokenize_with_weights(
            self, text: str, return_word_ids: bool = False, llama_template: str | None = None, **kwargs: Any
        ) -> dict[str, Any]:
            templated = (llama_template or TEMPLATE).format(text)
            return super().tokenize_with_weights(
                templated, return_word_ids=return_word_ids, disable_weights=True, **kwargs
            )

    return PromptTokenizer


@cache
def prompt_tokenizer(*, is_built_in: bool) -> Any:
    """The tokenizer of the built-in text encoder, else Qwen3's, for texts where no CLIP is at hand."""
    kind = tokenizer_of(BUILT_IN_TOKENIZER) if is_built_in else ZImageTokenizer
    return kind(embedding_directory=embeddings_folder())


def load_text_encoder(path: str, tokenizer: Path | None, embeddings: Any = None) -> comfy.sd.CLIP:
    """The CLIP of a text-encoder file; `tokenizer` None means the one that fits the embedding table.

    That is nano's for a table of its size, else Qwen's, which comes with ComfyUI.
    """
    opened = open_file(path, TEXT_ENCODER)
    if tokenizer is None and opened.config.vocab_size == NANO_TEXT.vocab_size:
        tokenizer = BUILT_IN_TOKENIZER
    identity = file_identity(tensor_files(TEXT_ENCODER.path_in(Path(path))))
    check_depth(opened)
    packed = loadable_packed(opened)
    dtype = norm_dtype(opened.weights) if packed else opened.weights.storage_dtype()
    options: dict[str, Any] = {f"{TOKENS_KEY}_model_config": {"zimage": opened.config}, "dtype": dtype}
    if packed:
        options["quantization_metadata"] = MIXED_PRECISION
    clip = comfy.sd.CLIP(
        comfy.supported_models_base.ClipTarget(
            ZImageTokenizer if tokenizer is None else tokenizer_of(tokenizer), TextEncoder
        ),
        embedding_directory=embeddings,
        parameters=opened.weights.n_parameters,
        state_dict=[partial(load_weights, opened=opened, dtype=dtype, packed=packed)],
        model_options=options,
    )
    setattr(clip.cond_stage_model, IDENTITY, identity)
    clip.cond_stage_model.file = path
    return clip


def check_depth(opened: OpenedNetwork[TextConfig, Qwen3]) -> None:
    """Refuse an encoder too shallow for ComfyUI's class, which takes the second-to-last of at least three layers."""
    if opened.config.n_layers < MIN_LAYERS:
        raise CheckpointError(
            f"{opened.weights.file} has {opened.config.n_layers_run} layers to run, too few for a text encoder; "
            "download the original file, such as qwen_3_4b.safetensors"
        )


def norm_dtype(weights: Weights) -> torch.dtype:
    """The type of the norms, which a file of packed layers computes in, as in ComfyUI's own loader."""
    norm = weights.tensors["model.layers.0.input_layernorm.weight"]
    return norm.dtype if isinstance(norm, Tensor) and norm.dtype.itemsize > 1 else torch.bfloat16
