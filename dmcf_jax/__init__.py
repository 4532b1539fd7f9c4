"""Visible-infrared person re-identification with DMCF (IEEE Access 2020) in JAX."""

__version__ = "0.1.0"
