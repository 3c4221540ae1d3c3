"""Which maps can be believed."""
