"""Pages for people: one HTML file each, with its pictures inside, that needs no network."""
