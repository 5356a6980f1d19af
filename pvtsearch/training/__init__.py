"""Accuracy by training: data, the recipe, and a loop that goes on where it was killed."""
