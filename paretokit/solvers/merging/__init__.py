"""Solvers of model merging: closed forms, and coefficients learned without labels."""
