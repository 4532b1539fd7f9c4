"""What `dmcf benchmark` measures."""
