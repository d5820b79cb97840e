"""Populations: native solvers stacked over seeds, and adapters for pymoo and pygmo."""
