"""Ranking a gallery for every query, in blocks and exactly."""
