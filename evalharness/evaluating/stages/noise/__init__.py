"""How scattered maps are, and whether that goes with mistakes."""
