"""Configuration: composed by Hydra from `conf/`, validated once into frozen models."""
