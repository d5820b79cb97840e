"""paretokit."""
