"""Files -> Scene -> Frames: readers, the one Dataset class, loading, and the procedural street."""
