"""A run's config: its fields, their checks, and what is built from them."""
