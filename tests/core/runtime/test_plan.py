"""What a plan says is held against networks built from the same widths, bytes measured live, and published counts."""

from dataclasses import replace

import pytest
import torch

import tiny
from memory import LiveBytesMode
from zimage_core.config import (
    FLUX_VAE,
    NANO_DIT,
    NANO_TEXT,
    NANO_VAE,
    OMNI_DIT,
    QWEN3_4B,
    TURBO_DIT,
    DiTConfig,
    TextConfig,
)
from zimage_core.model import S3DiT
from zimage_core.quant import INT8, quantize_layers
from zimage_core.runtime.byte_counts import (
    decoder_bytes,
    embedding_bytes,
    encode_bytes,
    step_bytes,
    text_bytes,
    transformer_bytes,
)
from zimage_core.runtime.offload import device_scope
from zimage_core.runtime.offload.partition import partition
from zimage_core.runtime.offload.plan import make_plan
from zimage_core.runtime.offload.plan_inputs import RESERVE, Machine, Networks, Picture, PlanError
from zimage_core.runtime.offload.streaming import stream
from zimage_core.text import Qwen3
from zimage_core.vae import Autoencoder, decode_budget_bytes, decode_within

GB = 10**9
CONTEXT = GB // 2  # what CUDA takes for itself before it says what is free (performance.md §9)
RELEASED = Networks(transformer=TURBO_DIT, text=QWEN3_4B, autoencoder=FLUX_VAE)
SQUARE = Picture(width=1024, height=1024)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def card(capped, host=32 * GB, capability=(8, 6)):
    """A card of so many bytes, after CUDA took its share."""
    return Machine(kind="cuda", free_device=int(capped) - CONTEXT, free_ram=int(host), capability=capability)


def nbytes(tensors, dtype=torch.bfloat16):
    return sum(tensor.numel() for tensor in tensors) * dtype.itemsize


@pytest.mark.parametrize("config", [TURBO_DIT, OMNI_DIT, NANO_DIT], ids=["turbo", "omni", "nano"])
@pytest.mark.parametrize("resident", [0, 5])
def test_weights_are_counted_as_the_network_has_them_and_streaming_divides_them(config, resident):
    network = S3DiT(config, device="meta")
    counted, parts = transformer_bytes(config, "bf16", "bf16"), partition(network, resident)
    assert counted.total == nbytes(network.parameters())
    assert counted.preparation == nbytes(parts.preparation)
    assert counted.every_step + resident * counted.layer == nbytes(parts.resident)
    assert {counted.layer} == {nbytes(tensors) for tensors in parts.streamed.values()}


def test_8_bit_layers_are_counted_as_they_are_packed():
    config = replace(tiny.DIT, dim=128, n_heads=2, ffn_dim=256)
    network = tiny.fill(S3DiT(config)).bfloat16()
    quantize_layers(network, INT8)
    found = sum(tensor.nbytes for _, tensor in device_scope.named_tensors(network))
    assert transformer_bytes(config, "int8", "bf16").total == found


def test_the_released_model_has_the_published_counts():
    """performance.md §2a: parameters, and those left once adaLN rows and refined captions are known."""
    counted = transformer_bytes(TURBO_DIT, "bf16", "bf16")
    assert counted.total == 2 * 6_154_908_736
    network = S3DiT(TURBO_DIT, device="meta")
    rows = nbytes(tensor for name, tensor in network.named_parameters() if "adaLN" in name and "final" not in name)
    refiner = nbytes(network.context_refiner.parameters())
    assert round((counted.total - rows - refiner) / 2e9, 3) == 5.675
    assert round((rows + refiner) / GB, 2) == 0.96
    assert rows + refiner < counted.preparation < 1.05 * (rows + refiner)  # with embedders of captions and time


def test_encoder_and_decoder_are_counted_as_they_are():
    for config in (QWEN3_4B, NANO_TEXT):
        counted = text_bytes(config, "bf16") + embedding_bytes(config, "bf16")
        assert counted == nbytes(Qwen3(config, device="meta").parameters())
    assert round(text_bytes(QWEN3_4B, "bf16") / 35 / 2e6, 2) == 100.93  # performance.md §2a; the 36th never runs
    for config in (FLUX_VAE, NANO_VAE):
        assert decoder_bytes(config, "fp32") == nbytes(
            Autoencoder(config, device="meta").decoder.parameters(), torch.float32
        )


WIDE = DiTConfig(
    dim=256, n_layers=8, n_refiner_layers=1, n_heads=4, ffn_dim=688, cap_feat_dim=64, time_hidden_dim=64, adaln_dim=256
)
SMALL = Networks(
    transformer=WIDE,
    text=TextConfig(vocab_size=640, dim=128, n_layers=3, n_heads=4, n_kv_heads=2, head_dim=32, ffn_dim=384),
    autoencoder=FLUX_VAE,
)


@torch.inference_mode()
def measured(run, known):
    """The most bytes alive at once beyond those of tensors known before; a first run makes what is kept for good."""
    run()
    with LiveBytesMode() as counter:
        for tensor in known:
            tensor.detach()
        start = counter.peak = counter.now
        run()
    return counter.peak - start


def drawn(dit, dtype, picture, streamed=None):
    """Captions, tables and one step, streamed or not."""
    caption, latent = (
        torch.randn(picture.caption_tokens, 64).to(dtype),
        torch.randn(picture.batch, 16, *picture.cells(SMALL)),
    )

    def run():
        if streamed is None:
            dit.flow(dit.prepare([caption], latent.shape[-2:]))(latent, torch.full((picture.batch,), 0.6))
            return
        with stream(dit, "cpu", resident=8 - streamed, arena_limit=0) as blocks:
            with blocks.preparing():
                condition = dit.prepare([caption], latent.shape[-2:], run=blocks.run)
                velocity = dit.flow(condition, [0.6], run=blocks.run)
            del condition
            velocity(latent, 0.6)

    return run, [caption, latent, *dit.parameters(), *dit.buffers()]


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("rest", DTYPES)
@pytest.mark.parametrize("layers", ["exact", "int8"])
def test_activations_are_what_a_step_keeps_alive(layers, rest, batch):
    picture = Picture(width=384, height=384, batch=batch, caption_tokens=40)
    dit = tiny.fill(S3DiT(WIDE)).to(DTYPES[rest])
    if layers == "int8":
        quantize_layers(dit, INT8)
    found = measured(*drawn(dit, DTYPES[rest], picture))
    expected = step_bytes(WIDE, picture.tokens(SMALL), rest if layers == "exact" else "int8", rest)
    assert 0.9 * found < expected < 1.1 * found


@pytest.mark.parametrize("rest", DTYPES)
def test_activations_of_the_encoder_are_what_it_keeps_alive(rest):
    encoder = tiny.fill(Qwen3(SMALL.text)).to(DTYPES[rest])
    found = measured(lambda: encoder.encode([list(range(400))]), encoder.parameters())
    assert 0.9 * found < encode_bytes(SMALL.text, 400, rest) < 1.1 * found


@pytest.mark.slow
@pytest.mark.parametrize("side, streamed", [(128, 8), (384, 6), (512, 4), (512, 0)])
def test_the_peak_of_the_transformer_is_what_a_whole_streamed_run_takes(monkeypatch, side, streamed):
    """Weights, slots and activations on a device that is as far away as a copy."""
    monkeypatch.setattr(device_scope, "to_device", lambda tensor, device: tensor.clone())
    picture = Picture(width=side, height=side, caption_tokens=40)
    weights = transformer_bytes(WIDE, "bf16", "bf16")
    step = step_bytes(WIDE, picture.tokens(SMALL), "bf16", "bf16")
    loaded = weights.every_step + (8 - streamed + (2 if streamed else 0)) * weights.layer
    room = RESERVE + loaded + max(step, weights.preparation + step // 2)
    networks, machine = replace(SMALL, autoencoder=NANO_VAE), Machine(kind="xpu", free_device=room, free_ram=GB)
    plan = make_plan(networks, picture, machine)
    assert plan.streamed == streamed and plan.offload_preparation
    dit = tiny.fill(S3DiT(WIDE)).bfloat16()
    found = measured(*drawn(dit, torch.bfloat16, picture, streamed))
    assert 0.9 * found < plan.peaks.transformer < 1.1 * found


def test_1024_fits_6_gb_in_int8_and_8_gb_in_streamed_bf16():
    small = make_plan(RELEASED, SQUARE, card(6 * GB), ("int8",))
    assert (small.precision, small.is_exact) == ("int8", False) and small.streamed
    assert small.peak + RESERVE + CONTEXT <= 6 * GB
    exact = make_plan(RELEASED, SQUARE, card(8 * GB))
    assert (exact.precision, exact.is_exact) == ("bf16", True) and exact.streamed
    assert exact.peak + RESERVE + CONTEXT <= 8 * GB
    network = S3DiT(TURBO_DIT, device="meta")  # the same from the network, with activations of performance.md §9
    parts = partition(network, exact.resident)
    slots = 2 * nbytes(next(iter(parts.streamed.values())))
    held = nbytes(parts.resident) + slots + max(450_000_000, nbytes(parts.preparation))
    assert exact.peaks.transformer == pytest.approx(held, rel=0.02)


def test_every_plan_fits_and_more_memory_never_means_more_copies():
    for allowed in ((), ("int8",)):
        copied = float("inf")
        for gigabytes in range(4, 40):
            machine = card(gigabytes * GB)
            plan = make_plan(RELEASED, SQUARE, machine, allowed)
            assert plan.peak <= machine.budget and plan.resident + plan.streamed == 30
            assert plan.streamed % 2 == 0  # so that every block keeps one slot
            layer = transformer_bytes(TURBO_DIT, plan.precision, "bf16").layer
            assert plan.streamed * layer <= copied or plan.is_exact  # exact weights that fit whole copy nothing
            copied = plan.streamed * layer
        offloaded = plan.offload_text, plan.offload_transformer, plan.offload_preparation
        assert (plan.streamed, *offloaded) == (0, False, False, False)


def test_8_bits_need_consent_a_card_that_can_and_a_reason():
    small, large = card(8 * GB), card(24 * GB)
    assert make_plan(RELEASED, SQUARE, small).precision == "bf16"
    assert make_plan(RELEASED, SQUARE, small, ("int8",)).precision == "int8"
    assert make_plan(RELEASED, SQUARE, large, ("int8",)).precision == "bf16"
    older = make_plan(RELEASED, SQUARE, small, ("fp8", "int8"))
    assert older.precision == "int8"
    assert older.refused == ("fp8 needs compute capability 8.9; this card has 8.6",)
    assert make_plan(RELEASED, SQUARE, card(8 * GB, capability=(8, 9)), ("fp8", "int8")).precision == "fp8"
    without = make_plan(RELEASED, SQUARE, card(11 * GB, host=6 * GB), ("int8",))
    assert without.precision == "bf16" and "int8 weights are made in main memory" in without.refused[0]
    stored = make_plan(replace(RELEASED, layers="int8"), SQUARE, small, ("fp8",))
    assert (stored.precision, stored.is_exact, stored.refused) == ("int8", True, ())


def test_the_encoder_lives_on_the_device_only_where_it_fits():
    assert make_plan(RELEASED, SQUARE, card(6 * GB)).text_on == "cpu"
    middle, large = make_plan(RELEASED, SQUARE, card(12 * GB)), make_plan(RELEASED, SQUARE, card(40 * GB))
    assert (middle.text_on, middle.offload_text) == ("device", True)
    assert (large.text_on, large.offload_text) == ("device", False)
    assert large.peak > text_bytes(QWEN3_4B, "bf16") + transformer_bytes(TURBO_DIT, "bf16", "bf16").total


def test_a_picture_too_large_to_decode_whole_is_decoded_in_strips():
    large, machine = Picture(width=2048, height=2048), card(5.5 * GB)
    plan = make_plan(RELEASED, large, machine, ("int8",))
    assert plan.decode == "strips" and plan.offload_transformer
    assert plan.peaks.decode <= machine.budget
    assert "autoencoder in strips of rows after the transformer has left" in str(plan)


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("decode, room", [("whole", 0), ("strips", -1), ("strips", -3_000_000)])
def test_decoding_within_the_plans_budget_goes_as_planned(decode, room):
    """Room for exactly what a whole picture needs, or for less."""
    networks = replace(SMALL, transformer=NANO_DIT, text=NANO_TEXT, autoencoder=NANO_VAE, autoencoder_precision="fp32")
    picture = Picture(width=512, height=512, caption_tokens=32)
    weights = decoder_bytes(NANO_VAE, "fp32")
    whole = decode_budget_bytes(NANO_VAE, (64, 64), torch.float32)
    machine = Machine(kind="xpu", free_device=RESERVE + weights + whole + room, free_ram=GB)
    plan = make_plan(networks, picture, machine)
    assert plan.decode == decode and plan.peaks.decode <= machine.budget
    vae, latent = tiny.fill(Autoencoder(NANO_VAE)), torch.randn(1, 16, 64, 64)
    reports = []
    decode_within(vae, latent, plan.decode_budget, lambda done, total: reports.append(done))
    assert bool(reports) == (decode == "strips")  # only strips report


def test_a_processor_keeps_everything_where_it_is():
    plan = make_plan(RELEASED, SQUARE, Machine(kind="cpu", free_ram=32 * GB))
    assert (plan.streamed, plan.text_on, plan.offload_text, plan.offload_transformer) == (0, "cpu", False, False)
    assert make_plan(RELEASED, SQUARE, Machine(kind="cpu", free_ram=16 * GB)).offload_text


def test_the_plan_is_told_in_one_line():
    assert str(make_plan(RELEASED, SQUARE, card(5 * GB), ("int8",))) == (
        "plan: int8 (lossy), 10 of 30 blocks resident, 20 stream, text encoder on CPU, "
        "autoencoder whole after the transformer has left, expected peak 3.8 GB"
    )
    assert str(make_plan(RELEASED, SQUARE, card(40 * GB))) == (
        "plan: bf16, all 30 blocks resident, text encoder on the device, autoencoder whole, expected peak 21.8 GB"
    )


REFUSALS = [
    (SQUARE, card(2.5 * GB), (), "needs 2.4 GB of the device with 30 blocks streamed, 1.6 GB may be used"),
    (SQUARE, card(2.5 * GB), ("fp8",), "fp8 needs compute capability 8.9"),
    (SQUARE, card(6 * GB, host=8 * GB), (), "needs 8.5 GB of main memory with 24 blocks streamed, 8.0 GB may be used"),
    (SQUARE, card(6 * GB, host=7.5 * GB), ("int8",), "text encoder needs 7.9 GB of main memory, 7.5 GB are free"),
    (SQUARE, Machine(kind="cpu", free_ram=12 * GB), (), "needs 12.7 GB of main memory, 12.0 GB may be used"),
    (replace(SQUARE, width=1000), card(24 * GB), (), "multiples of 16"),
    (replace(SQUARE, batch=0), card(24 * GB), (), "at least one"),
]


@pytest.mark.parametrize("picture, machine, allowed, sentence", REFUSALS)
def test_what_cannot_be_done_is_refused_with_the_figures(picture, machine, allowed, sentence):
    with pytest.raises(PlanError, match=sentence):
        make_plan(RELEASED, picture, machine, allowed)


def test_precisions_of_matrices_only_are_refused_elsewhere():
    with pytest.raises(PlanError, match="for the layers' matrices only"):
        replace(RELEASED, rest="int8")
