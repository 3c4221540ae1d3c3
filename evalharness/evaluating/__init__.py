"""One story: one model evaluated on one dataset, from a config to a logged run. `pipeline.py` tells it."""
