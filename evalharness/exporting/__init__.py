"""One story: a finished evaluation as files for other tools. `pipeline.py` tells it."""
