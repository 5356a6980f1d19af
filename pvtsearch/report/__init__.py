"""The search report: rows first, drawing second, then one page that needs nothing else."""
