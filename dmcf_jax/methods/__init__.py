"""Methods that are trained and evaluated."""
