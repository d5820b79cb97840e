"""Solvers of multi-objective reinforcement learning: whole populations of policies trained in one stack."""
