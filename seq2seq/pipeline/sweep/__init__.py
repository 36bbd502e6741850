"""Sweeps: a recipe for every combination of some keys' values, in one folder, compared at the end."""
