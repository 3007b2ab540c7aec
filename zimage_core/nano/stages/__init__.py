"""The recipe of nano, one training stage a file."""
