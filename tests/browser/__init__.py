"""Tests in a real browser; a package, so that they can share a server and a browser of its scope."""
