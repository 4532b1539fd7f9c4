"""A run for other programs: StableHLO, ONNX, PyTorch."""
