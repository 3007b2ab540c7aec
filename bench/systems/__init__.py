"""The systems that are measured. A peer that is not installed is left out with a sentence, never half-imitated."""
