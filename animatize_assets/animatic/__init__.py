"""Frames of a camera path to a playable clip."""
