"""One module per step, numbered in order. A released step is never edited."""
