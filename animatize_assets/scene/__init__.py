"""Pixels to a SceneAnalysis: what can be measured in the picture, and nothing else."""
