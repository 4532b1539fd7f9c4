"""Weights in files: PyTorch, safetensors and the Hugging Face hub, and ResNets for ImageNet."""
