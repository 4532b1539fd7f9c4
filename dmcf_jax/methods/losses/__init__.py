"""Losses of embeddings and logits, for any method: pure functions of float32 arrays."""
