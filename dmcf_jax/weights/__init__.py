"""Weights in files: PyTorch, safetensors and the Hugging Face hub; backbones of ImageNet."""
