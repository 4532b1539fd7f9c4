"""A page to search in: one model, one gallery, in a browser."""
