"""Multi-objective reinforcement learning: environments on tensors, Gymnasium's and MuJoCo's beside them, one problem."""
