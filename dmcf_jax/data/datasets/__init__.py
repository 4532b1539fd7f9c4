"""The layouts of the data sets on disk: one file each."""
