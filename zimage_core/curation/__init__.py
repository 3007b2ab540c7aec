"""The data engine: what is in a folder of pictures, which of them are copies, as stages from parquet to parquet.

A stage is a pure function, its output tells what it was made of, and what was done once is not done again
(`engine/`). What it computes are plain functions of arrays.
"""
