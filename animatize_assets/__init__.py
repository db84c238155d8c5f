"""A still image becomes a justified camera move, a prompt, a picture and a playable clip.

The rooms of the house, and what each may import, are drawn in ``docs/architecture.md``.
Importing this package does nothing: no environment is read and no heavy library is loaded.
"""

__version__ = "0.1.0"
