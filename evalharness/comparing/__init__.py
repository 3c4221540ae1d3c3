"""One story: finished runs on the same images, each against one of them. `pipeline.py` tells it."""
