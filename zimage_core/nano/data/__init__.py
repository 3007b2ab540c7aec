"""The small world nano learns: scenes, how they are drawn, and the sentences that describe them."""
