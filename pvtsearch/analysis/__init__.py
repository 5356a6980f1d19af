"""What networks cost: in closed form (no torch) and counted on built modules (torch)."""
