"""Generative flow networks: samplers of many diverse designs over a whole front."""
