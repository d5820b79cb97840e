"""The floor of the house: objectives, spaces, problems, fronts, solvers' contract, randomness, checks."""
