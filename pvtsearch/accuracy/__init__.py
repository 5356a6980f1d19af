"""Signals that stand for accuracy, and what each is worth."""
