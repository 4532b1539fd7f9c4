"""The paper's figures 3 to 6 of our own runs, and what else shows how a trained model sees people.

Each figure is one module with `problems` (what is in its way) and `draw`; `command` calls them.
Each is written as PNG and SVG, with the numbers it shows as CSV.
"""
