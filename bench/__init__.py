"""Measures this pack against diffusers and ComfyUI's native code; `python -m bench --help` says how.

Every system is loaded with the same random weights and gets the same inputs, in one process. The timings, recorded in
`bench/log.md`, are informative only; CI checks the deterministic operation counts of `python -m bench --count`.
"""
