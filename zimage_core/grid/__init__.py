"""Comparison grids: values along up to three axes, written as text, and the labelled sheet of their pictures."""

from .axes import MOST_PICTURES, NO_AXIS, Axis, cells, check, layout_of, parse_axis, picture_labels
from .labels import IN_CHINESE, chinese_font
from .plotted import Line, Plot, plot_of
from .sheet import Layout, compose
from .values import Choices, Kind, Lines, Numbers, Replacements, Value

__all__ = [
    "IN_CHINESE",
    "MOST_PICTURES",
    "NO_AXIS",
    "Axis",
    "Choices",
    "Kind",
    "Layout",
    "Line",
    "Lines",
    "Numbers",
    "Plot",
    "Replacements",
    "Value",
    "cells",
    "check",
    "chinese_font",
    "compose",
    "layout_of",
    "parse_axis",
    "picture_labels",
    "plot_of",
]
