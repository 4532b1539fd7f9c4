"""Synthetic people: who they are and how cameras see them."""
