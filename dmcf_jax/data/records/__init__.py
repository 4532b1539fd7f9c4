"""Prepared records: building, reading and verifying them."""
