"""Weights in files: PyTorch's, safetensors, ImageNet."""
