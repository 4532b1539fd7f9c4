"""Your own pictures: embed them, keep the embeddings, find the best matches."""
