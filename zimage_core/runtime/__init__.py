"""What makes the networks fast and small while they run: caches, streams, plans."""
