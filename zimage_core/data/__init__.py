"""Datasets on disk: what one part of the library writes and another one learns from."""
