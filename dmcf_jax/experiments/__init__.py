"""The paper's tables: all of their runs, and their results beside the paper's values."""
