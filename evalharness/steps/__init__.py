"""The steps of an evaluation: each takes what it needs from the stages and hands on what it made."""
