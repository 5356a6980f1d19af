"""pvtsearch."""
