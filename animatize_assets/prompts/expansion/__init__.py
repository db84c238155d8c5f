"""Prompts that a language model expands, one by one or as a batch."""
