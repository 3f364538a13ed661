"""The loop: one episode, training, evaluation."""
