"""A model as a folder for the Hugging Face hub: written, uploaded, and read without trust."""
