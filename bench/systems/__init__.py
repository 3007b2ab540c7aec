"""The benchmarked systems: this pack, diffusers and ComfyUI. Systems that are not installed are skipped with a note."""
