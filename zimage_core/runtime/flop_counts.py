"""Floating-point operations of a step, counted from the architecture: two for each multiply-add.

Letters: n image tokens, m caption tokens, d model width, f feed-forward width. Only GEMMs and attention are counted,
and only the work every implementation has to do.
"""

from ..config import TIME_FREQUENCIES, DiTConfig


def block_flops(config: DiTConfig, tokens: int) -> int:
    """One block without its modulation: four d x d matrices, three d x f matrices, attention."""
    return block_gemm_flops(config, tokens) + attention_flops(tokens, config.dim)


def block_gemm_flops(config: DiTConfig, tokens: int) -> int:
    """The GEMMs of one block."""
    return 2 * tokens * (4 * config.dim**2 + 3 * config.dim * config.ffn_dim)


def attention_flops(tokens: int, width: int) -> int:
    """Q·K.T and the weighted sum of V, for full self-attention over one sequence."""
    return 4 * tokens**2 * width


def step_gemm_flops(config: DiTConfig, n: int, m: int) -> int:
    """The GEMMs of one sampling step with a prepared condition (captions already embedded and refined)."""
    blocks = config.n_layers * block_gemm_flops(config, n + m) + config.n_refiner_layers * block_gemm_flops(config, n)
    time = TIME_FREQUENCIES * 2 * config.time_hidden_dim + config.time_hidden_dim * config.adaln_dim
    modulated = 4 * (config.n_layers + config.n_refiner_layers) + 1  # the final layer has one modulation vector
    rows = time + config.adaln_dim * config.dim * modulated
    ends = 2 * n * config.patch_dim * config.dim
    return blocks + 2 * (rows + ends)


def step_attention_flops(config: DiTConfig, n: int, m: int) -> int:
    """The attention of one sampling step."""
    joint = config.n_layers * attention_flops(n + m, config.dim)
    return joint + config.n_refiner_layers * attention_flops(n, config.dim)


def step_flops(config: DiTConfig, n: int, m: int) -> int:
    """One function evaluation for one item, noisy latent to velocity, with a prepared condition."""
    return step_gemm_flops(config, n, m) + step_attention_flops(config, n, m)
