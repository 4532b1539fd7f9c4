"""Embeddings and labels to metrics: protocols, ranking, results."""
