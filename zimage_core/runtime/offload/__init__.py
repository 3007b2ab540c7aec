"""Running networks that are larger than their device: a memory plan, and transformer blocks streamed by it."""
