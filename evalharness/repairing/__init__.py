"""One story: an evaluated run that relies on the wrong thing, its head fitted anew. `pipeline.py` tells it."""
