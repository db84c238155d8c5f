"""How long each phase takes."""
