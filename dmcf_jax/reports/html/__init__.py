"""HTML pages: one file each, pictures included, that needs no network."""
