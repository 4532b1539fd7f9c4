"""Export a run for other programs: StableHLO, PyTorch and, optionally, ONNX.

Each format is one function `export_<format>(trained, path)`, which reads back what it wrote and
raises a `UserError` if the file does not reproduce the run.
"""
