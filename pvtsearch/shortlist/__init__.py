"""Accuracy by training a few networks: predict all others, train the most promising, and say what it is worth."""
