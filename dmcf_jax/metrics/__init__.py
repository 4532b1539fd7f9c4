"""Learned metrics: NumPy float64, plain arrays in and out; no network, no jax, no config."""
