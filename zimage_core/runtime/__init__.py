"""Speed and memory of running networks: CUDA graphs, attention kernels, offload, prompt cache, byte counts."""
