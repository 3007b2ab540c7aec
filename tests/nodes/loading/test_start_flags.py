"""ComfyUI's start options on precision, devices and memory: our loaders hold weights where and as its own ones do.

A card is played by the meta device. What a start option changes when ComfyUI is imported is changed here by hand.
"""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

import tiny
from native_pictures import draw, same
from zimage_core.config import FLUX_VAE, TextConfig
from zimage_core.text import Qwen3
from zimage_core.vae import Autoencoder
from zimage_core.vision import Siglip2

CARD = torch.device("meta")
TEXT = TextConfig(vocab_size=64, dim=32, n_layers=3, n_heads=2, n_kv_heads=1, head_dim=128, ffn_dim=64)
NATIVE_TEXT = {
    "vocab_size": TEXT.vocab_size,
    "hidden_size": TEXT.dim,
    "intermediate_size": TEXT.ffn_dim,
    "num_hidden_layers": TEXT.n_layers,
    "num_attention_heads": TEXT.n_heads,
    "num_key_value_heads": TEXT.n_kv_heads,
}
NATIVE_VISION = {
    "model_type": "siglip2_vision_model",
    "num_channels": 3,
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_size": tiny.VISION.dim,
    "image_size": -1,
    "intermediate_size": tiny.VISION.ffn_dim,
    "num_attention_heads": tiny.VISION.n_heads,
    "num_hidden_layers": tiny.VISION.n_layers,
    "patch_size": tiny.VISION.patch_size,
    "num_patches": tiny.VISION.n_positions,
}

UNET = ("fp32_unet", "fp64_unet", "bf16_unet", "fp16_unet", "fp8_e4m3fn_unet", "fp8_e5m2_unet", "fp8_e8m0fnu_unet")
TEXT_ENCODER = ("fp8_e4m3fn_text_enc", "fp8_e5m2_text_enc", "fp16_text_enc", "fp32_text_enc", "bf16_text_enc")
AUTOENCODER = ("fp16_vae", "fp32_vae", "bf16_vae", "cpu_vae")
EVERYWHERE = ("force_fp16", "force_fp32", "gpu_only", "highvram", "lowvram", "novram", "cpu", "supports_fp8_compute")
MODEL_FLAGS = (*UNET, *EVERYWHERE, "fast")
TEXT_FLAGS = (*TEXT_ENCODER, *EVERYWHERE)
VAE_FLAGS = (*AUTOENCODER, *EVERYWHERE, "force_channels_last", "fp16_intermediates")
COMPARED = {*MODEL_FLAGS, *TEXT_FLAGS, *VAE_FLAGS}

ELSEWHERE = {  # what concerns no loader, by who obeys it
    "ComfyUI's attention, which our blocks call": (
        *("use_split_cross_attention", "use_quad_cross_attention", "use_pytorch_cross_attention"),
        *("use_sage_attention", "use_flash_attention", "use_ck_attention", "disable_xformers"),
        *("force_upcast_attention", "dont_upcast_attention"),
    ),
    "ComfyUI's patcher, layers and memory manager, which hold our networks": (
        *("reserve_vram", "vram_headroom", "disable_nvml_pressure", "async_offload", "disable_async_offload"),
        *("disable_dynamic_vram", "enable_dynamic_vram", "fast_disk", "high_ram", "disable_smart_memory"),
        *("disable_pinned_memory", "force_non_blocking", "deterministic", "disable_cuda_graphs"),
    ),
    "ComfyUI's reader of files, which ours uses": ("mmap_torch_files", "disable_mmap"),
    "ComfyUI's choice of a device and PyTorch's set-up, before any loader": (
        *("cuda_device", "default_device", "cuda_malloc", "disable_cuda_malloc", "directml", "oneapi_device_selector"),
        *("enable_triton_backend", "disable_triton_backend"),
    ),
    "ComfyUI's cache of outputs and its server": (
        *("cache_ram", "cache_classic", "cache_lru", "cache_none", "quick_test_for_ci", "enable_asset_hashing"),
        *("default_hashing_function", "database_url", "windows_standalone_build", "front_end_version"),
    ),
}
CONCERNS_LOADING = re.compile(
    r"unet|vae|text.enc|fp\d|bf16|\bv?ram\b|memory|gpu|cuda|device|attention|offload|precision|backend|channels"
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning"),
]


@pytest.fixture
def card(comfy, monkeypatch):
    """A large card of Hopper's kind, without any start option."""
    management = comfy.model_management
    properties = SimpleNamespace(major=9, minor=0, name="a card", total_memory=1 << 37)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device=None: properties)
    monkeypatch.setattr(management, "cpu_state", management.CPUState.GPU)
    monkeypatch.setattr(management, "vram_state", management.VRAMState.NORMAL_VRAM)
    monkeypatch.setattr(management, "get_torch_device", lambda: CARD)
    monkeypatch.setattr(management, "get_total_memory", lambda *a, **k: 1 << 37)
    monkeypatch.setattr(management, "get_free_memory", lambda *a, **k: 1 << 37)
    monkeypatch.setattr(management, "load_models_gpu", lambda *a, **k: None)
    monkeypatch.setattr(management.args, "cpu", False)
    return management


def start_with(management, monkeypatch, flag: str) -> None:
    """The state of ComfyUI after starting with this option."""
    from comfy.cli_args import PerformanceFeature

    monkeypatch.setattr(management.args, flag, set(PerformanceFeature) if flag == "fast" else True)
    states = {"gpu_only": "HIGH_VRAM", "highvram": "HIGH_VRAM", "lowvram": "LOW_VRAM", "novram": "NO_VRAM"}
    if flag in states:
        monkeypatch.setattr(management, "vram_state", management.VRAMState[states[flag]])
    if flag == "cpu":
        monkeypatch.setattr(management, "cpu_state", management.CPUState.CPU)
        monkeypatch.setattr(management, "vram_state", management.VRAMState.DISABLED)
        monkeypatch.setattr(management, "get_torch_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(management, "FORCE_FP32", flag == "force_fp32")
    monkeypatch.setattr(management, "SUPPORT_FP8_OPS", flag == "supports_fp8_compute")


def held(network, names) -> dict[str, tuple[torch.dtype, str]]:
    """Type and place of the named weights."""
    state = network.state_dict()
    return {name: (state[name].dtype, state[name].device.type) for name in sorted(names)}


def devices(patcher) -> tuple[torch.device, torch.device]:
    return patcher.load_device, patcher.offload_device


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def written(folder, state, dtype: torch.dtype) -> tuple[str, dict[str, torch.Tensor]]:
    cast = {key: tensor.to(dtype) for key, tensor in state.items()}
    path = folder / f"{dtype}.safetensors"
    save_file(cast, path)
    return str(path), cast


def native_load(comfy, native, monkeypatch, state, options=None):
    """The MODEL of ComfyUI's own loader, which recognizes the released widths only."""
    settings = {**native.settings(), "allow_fp16": True}  # as it finds in such a file
    config = comfy.supported_models.ZImage(settings)
    monkeypatch.setattr(comfy.model_detection, "model_config_from_unet", lambda *a, **k: config)
    return comfy.sd.load_diffusion_model_state_dict(dict(state), model_options=options or {})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn], ids=str)
@pytest.mark.parametrize("flag", MODEL_FLAGS)
def test_the_model_is_natives(comfy, pack, native, card, folder, monkeypatch, flag, dtype):
    start_with(card, monkeypatch, flag)
    path, state = written(folder, native.weights(), dtype)
    ours = pack.bridge_model.load_model(path)
    theirs = native_load(comfy, native, monkeypatch, state)
    assert devices(ours) == devices(theirs)
    assert held(ours.model.diffusion_model, state) == held(theirs.model.diffusion_model, state)
    assert ours.model.manual_cast_dtype == theirs.model.manual_cast_dtype
    assert ours.model.get_dtype_inference() == theirs.model.get_dtype_inference()
    qkv = [each.model.diffusion_model.layers[0].attention.qkv for each in (ours, theirs)]
    assert type(qkv[0]).__qualname__ == type(qkv[1]).__qualname__


@pytest.mark.parametrize("flag", ["bf16_unet", "fp16_unet", "fp8_e4m3fn_unet", "fp8_e5m2_unet"])
def test_and_the_picture_is_natives(comfy, pack, native, folder, monkeypatch, flag):
    """Without a card, where weights of every type are cast to float32."""
    monkeypatch.setattr(comfy.model_management.args, flag, True)
    path, state = written(folder, native.weights(), torch.float32)
    ours = pack.bridge_model.load_model(path)
    theirs = native_load(comfy, native, monkeypatch, state)
    exact = native_load(comfy, native, monkeypatch, state, {"dtype": torch.float32})
    drawn = draw(native, ours, steps=1)
    same(drawn, draw(native, theirs, steps=1))
    assert (drawn - draw(native, exact, steps=1)).abs().max() > 3e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("flag", TEXT_FLAGS)
def test_the_text_encoder_is_natives(comfy, pack, card, folder, monkeypatch, flag, dtype):
    """Its type is the file's, whatever `--fp16-text-enc` and its like say: native takes that of the file's norm."""
    start_with(card, monkeypatch, flag)
    path, state = written(folder, tiny.fill(Qwen3(replace(TEXT, n_layers=4))).state_dict(), dtype)
    monkeypatch.setattr(pack.bridge_text, "ZImageTokenizer", lambda **k: None)
    monkeypatch.setattr(comfy.text_encoders.z_image, "ZImageTokenizer", lambda **k: None)
    monkeypatch.setattr(comfy.sd, "detect_te_model", lambda state: comfy.sd.TEModel.QWEN3_4B)
    ours = pack.bridge_text.load_text_encoder(path, None)
    theirs = comfy.sd.load_text_encoder_state_dicts(
        [dict(state)], clip_type=comfy.sd.CLIPType.LUMINA2, model_options={"qwen3_4b_model_config": NATIVE_TEXT}
    )
    networks = [clip.cond_stage_model.qwen3_4b.transformer for clip in (ours, theirs)]
    shared = set.intersection(*(set(each.state_dict()) for each in networks))
    assert len(shared) > 20
    assert held(networks[0], shared) == held(networks[1], shared)
    assert devices(ours.patcher) == devices(theirs.patcher)
    assert ours.cond_stage_model.dtypes == theirs.cond_stage_model.dtypes


@pytest.mark.parametrize("flag", TEXT_FLAGS)
def test_the_vision_encoder_is_natives(comfy, pack, card, folder, monkeypatch, flag):
    from comfy.clip_vision import ClipVisionModel

    start_with(card, monkeypatch, flag)
    path, _ = written(folder, tiny.fill(Siglip2(tiny.VISION)).state_dict(), torch.float32)
    ours, theirs = pack.bridge_vision.load_vision(path), ClipVisionModel(NATIVE_VISION)
    assert devices(ours.patcher) == devices(theirs.patcher)
    name = "vision_model.encoder.layers.0.self_attn.q_proj.weight"
    assert held(ours.model, [name]) == held(theirs.model, [name])


@pytest.mark.parametrize("flag", VAE_FLAGS)
def test_the_autoencoder_is_natives(comfy, pack, card, folder, monkeypatch, flag):
    start_with(card, monkeypatch, flag)
    path, _ = written(folder, tiny.vae().state_dict(), torch.float32)
    ours = pack.bridge_vae.load_vae(path)
    with torch.device("meta"):
        theirs = comfy.sd.VAE(sd=Autoencoder(FLUX_VAE).state_dict())
    assert devices(ours.patcher) == devices(theirs.patcher)
    assert (ours.vae_dtype, ours.device, ours.output_device) == (theirs.vae_dtype, theirs.device, theirs.output_device)
    assert ours.vae_output_dtype() == theirs.vae_output_dtype()
    types = [{weight.dtype for weight in vae.first_stage_model.parameters()} for vae in (ours, theirs)]
    assert types[0] == types[1]
    weight = ours.first_stage_model.decoder.conv_in.weight  # native obeys this option in the MODEL alone
    assert weight.is_contiguous(memory_format=torch.channels_last) == (flag == "force_channels_last")


def test_every_start_option_that_may_concern_a_loader_is_compared_or_obeyed_elsewhere(comfy):
    from comfy.cli_args import parser

    known = {*COMPARED, *(flag for flags in ELSEWHERE.values() for flag in flags)}
    new = [
        f"--{action.dest.replace('_', '-')}: {action.help}"
        for action in parser._actions
        if action.dest not in known and CONCERNS_LOADING.search(f"{action.dest} {action.help}".lower())
    ]
    assert not new, (
        "this ComfyUI has start options that these tests do not know. Put each into COMPARED, or into ELSEWHERE under "
        "who obeys it:\n" + "\n".join(new)
    )
