"""The two modalities: a property of an image, never of its place in a list."""

VISIBLE = 0
INFRARED = 1
MODALITIES = ("visible", "infrared")
