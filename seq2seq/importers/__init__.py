"""Recipes of other toolkits, as ours."""
