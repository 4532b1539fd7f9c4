"""Results for people: figures, and HTML pages that are one file each and need no network."""
