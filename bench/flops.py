"""Arithmetic of one evaluation, counted from the widths: two operations for every multiply-add of a product.

Letters: n image tokens, m caption tokens, s = n + m, d model width, f feed-forward width.

Only matrix products, convolutions and attention count; what every system must do counts, whatever else one of them
does. So utilisation is the same work divided by each system's own time.
"""

from zimage_core.config import TIME_FREQUENCIES, DiTConfig, TextConfig, VAEConfig

from .cells import Cell


def cell_flops(cell: Cell, dit: DiTConfig, text: TextConfig, vae: VAEConfig) -> int:
    """Operations of a cell for all its items."""
    step = step_flops(dit, cell.image_tokens, cell.caption_tokens)
    prompts = 2 if cell.guided else 1
    one = {
        "block": block_flops(dit, cell.image_tokens + cell.caption_tokens),
        "transformer": prompts * step,
        "text": text_flops(text, cell.caption),
        "decode": decode_flops(vae, cell.cells),
        "picture": cell.nfe * step
        + prompts * (caption_flops(dit, cell.caption_tokens) + text_flops(text, cell.caption))
        + decode_flops(vae, cell.cells),
    }
    return cell.batch * one[cell.part]


def block_flops(config: DiTConfig, tokens: int) -> int:
    """One block over its tokens, its modulation left out: four d x d matrices, three d x f ones, attention."""
    return block_products(config, tokens) + attention_products(tokens, config.dim)


def block_products(config: DiTConfig, tokens: int) -> int:
    """The matrix products of one block."""
    return 2 * tokens * (4 * config.dim**2 + 3 * config.dim * config.ffn_dim)


def attention_products(tokens: int, width: int) -> int:
    """Scores and their sums over one sequence that sees itself."""
    return 4 * tokens**2 * width


def step_products(config: DiTConfig, n: int, m: int) -> int:
    """The matrix products of one step; captions are embedded and refined already."""
    blocks = config.n_layers * block_products(config, n + m) + config.n_refiner_layers * block_products(config, n)
    time = TIME_FREQUENCIES * 2 * config.time_hidden_dim + config.time_hidden_dim * config.adaln_dim
    modulated = 4 * (config.n_layers + config.n_refiner_layers) + 1  # the final layer has one row
    rows = time + config.adaln_dim * config.dim * modulated
    ends = 2 * n * config.patch_dim * config.dim
    return blocks + 2 * (rows + ends)


def step_attention(config: DiTConfig, n: int, m: int) -> int:
    """The attention of one step."""
    joint = config.n_layers * attention_products(n + m, config.dim)
    return joint + config.n_refiner_layers * attention_products(n, config.dim)


def step_flops(config: DiTConfig, n: int, m: int) -> int:
    """One evaluation for one item, from noisy latent to velocity, captions prepared."""
    return step_products(config, n, m) + step_attention(config, n, m)


def caption_flops(config: DiTConfig, m: int) -> int:
    """Embedding and refining one caption, which peers repeat in every evaluation."""
    embedded = 2 * m * config.cap_feat_dim * config.dim
    return embedded + config.n_refiner_layers * block_flops(config, m)


def text_flops(config: TextConfig, tokens: int) -> int:
    """One prompt at its exact length through the layers that matter."""
    wide, narrow = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    matrices = config.dim * (2 * wide + 2 * narrow) + 3 * config.dim * config.ffn_dim
    return config.n_layers_run * (2 * tokens * matrices + attention_products(tokens, wide))


def decode_flops(config: VAEConfig, cells: tuple[int, int]) -> int:
    """One latent of (h, w) cells decoded, from the coarsest level to the finest."""
    area = cells[0] * cells[1]
    widths = config.decoder_widths
    width = widths[-1]
    total = 2 * area * (9 * config.latent_channels * width + 4 * 9 * width**2 + 4 * width**2)
    total += attention_products(area, width)
    for level in reversed(range(len(widths))):
        for _ in range(config.decoder_blocks):
            shortcut = width * widths[level] if width != widths[level] else 0
            total += 2 * area * (9 * width * widths[level] + 9 * widths[level] ** 2 + shortcut)
            width = widths[level]
        if level:
            area *= 4
            total += 2 * area * 9 * width**2
    return total + 2 * area * 9 * width * 3
