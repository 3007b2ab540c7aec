"""Constants and helpers of the tests of CUDA graphs."""

import torch

STEPS = 6


BEFORE_REPLAYS = 3  # a geometry's first step warms up, its second is measured, its third is captured


LOADERS = ["ours", "stock"]


CPU = torch.device("cpu")


def captures_of(model):
    return model.model_options["transformer_options"]["zimage_cuda_graphs"]
