"""Training, evaluation and prediction: knows what a method is, and no method by name."""
