"""Figures 3 to 6 of the paper for dmcf_jax's own runs, and further views of a trained model.

Each figure is one module with `problems` (why it cannot be drawn) and `draw`; `draw.py` calls
them by name. A figure is written as PNG and SVG, with the numbers that it shows as CSV.
"""
