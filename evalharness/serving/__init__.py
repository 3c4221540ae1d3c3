"""One story: a bench that judges photos all day. `pipeline.py` tells it."""
