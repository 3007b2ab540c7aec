"""Training objectives; each module holds one loss."""

from .decoupled import DecoupledDmd, Matched, decoupled_dmd

__all__ = ["DecoupledDmd", "Matched", "decoupled_dmd"]
