"""Published checkpoints as methods of ours."""
