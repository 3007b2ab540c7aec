"""Analytic FLOP counts of each workload, from the network widths: two operations per multiply-add.

Letters: n image tokens, m caption tokens, s = n + m, d model width, f feed-forward width.

Only GEMMs, convolutions and attention are counted, and only the work every implementation has to do. So MFU (model
FLOPs utilization) divides the same work by each system's own time.
"""

from zimage_core.config import DiTConfig, TextConfig, VAEConfig
from zimage_core.runtime.flop_counts import attention_flops, block_flops, step_flops

from .workloads import Workload


def workload_flops(workload: Workload, dit: DiTConfig, text: TextConfig, vae: VAEConfig) -> int:
    """FLOPs of a workload, for the whole batch."""
    step = step_flops(dit, workload.image_tokens, workload.caption_tokens)
    prompts = 2 if workload.guided else 1
    one = {
        "block": block_flops(dit, workload.image_tokens + workload.caption_tokens),
        "transformer": prompts * step,
        "text": text_flops(text, workload.caption),
        "decode": decode_flops(vae, workload.latent_size),
        "picture": workload.nfe * step
        + prompts * (caption_flops(dit, workload.caption_tokens) + text_flops(text, workload.caption))
        + decode_flops(vae, workload.latent_size),
    }
    return workload.batch * one[workload.part]


def caption_flops(config: DiTConfig, m: int) -> int:
    """Embedding and refining one caption; the other systems repeat this in every evaluation."""
    embedded = 2 * m * config.cap_feat_dim * config.dim
    return embedded + config.n_refiner_layers * block_flops(config, m)


def text_flops(config: TextConfig, tokens: int) -> int:
    """One prompt without padding through the layers whose output is used."""
    wide, narrow = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    matrices = config.dim * (2 * wide + 2 * narrow) + 3 * config.dim * config.ffn_dim
    return config.n_layers_run * (2 * tokens * matrices + attention_flops(tokens, wide))


def decode_flops(config: VAEConfig, latent_size: tuple[int, int]) -> int:
    """Decoding one latent of size (h, w), from the coarsest level to the finest."""
    area = latent_size[0] * latent_size[1]
    widths = config.decoder_widths
    width = widths[-1]
    total = 2 * area * (9 * config.latent_channels * width + 4 * 9 * width**2 + 4 * width**2)
    total += attention_flops(area, width)
    for level in reversed(range(len(widths))):
        for _ in range(config.decoder_blocks):
            shortcut = width * widths[level] if width != widths[level] else 0
            total += 2 * area * (9 * width * widths[level] + 9 * widths[level] ** 2 + shortcut)
            width = widths[level]
        if level:
            area *= 4
            total += 2 * area * 9 * width**2
    return total + 2 * area * 9 * width * 3
