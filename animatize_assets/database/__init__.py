"""Engine and the one migration history; no domain logic."""
