"""Which network a file holds, under which names, and what it is if it is none of ours."""
