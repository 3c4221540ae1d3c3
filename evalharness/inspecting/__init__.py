"""One story: single images at the bench. `pipeline.py` tells it."""
