"""Protocols, ranking and reports."""
