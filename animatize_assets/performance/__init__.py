"""How long generation jobs take, why, and how long the next ones will take."""
