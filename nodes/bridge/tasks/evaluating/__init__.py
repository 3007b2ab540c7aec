"""Evaluating a model, or pictures, by a suite of prompts."""
