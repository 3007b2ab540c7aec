"""Measures this pack against diffusers and ComfyUI's native code; `python -m bench --help` says how.

Every system holds the same random weights and sees the same inputs in one process. Seconds are for people to read, in
`bench/log.md`; what CI gates are the counts of `python -m bench --count`, which no clock and no neighbour disturbs.
"""
