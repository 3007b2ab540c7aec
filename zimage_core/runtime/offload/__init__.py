"""Networks larger than their device: a memory plan, and blocks streamed by it."""
