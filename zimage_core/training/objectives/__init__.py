"""Training objectives; each module holds one loss."""
