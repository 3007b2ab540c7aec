"""Development tools around a real ComfyUI: fetch it, start it, run workflows on it, draw pictures with it."""
