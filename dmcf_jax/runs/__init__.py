"""The folder of a run: what is written into it, and how a trained model is loaded from it."""
