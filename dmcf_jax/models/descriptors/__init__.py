"""Descriptors that need no training: what a trained network is compared with."""
