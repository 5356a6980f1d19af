"""Search under hard budgets."""
