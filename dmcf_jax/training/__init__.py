"""The training loop: start, steps, validation, display."""
