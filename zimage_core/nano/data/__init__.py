"""nano's procedural dataset: scenes, edits, their rendering and their captions."""
