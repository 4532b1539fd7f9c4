"""Pages of the documentation site that are generated, and the check of the built site."""
