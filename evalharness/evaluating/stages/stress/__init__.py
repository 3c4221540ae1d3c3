"""Cut-outs pasted into the photos."""
