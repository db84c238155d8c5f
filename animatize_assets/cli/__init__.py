"""The ``animatize`` command line.

``entry`` declares every command and needs nothing but click; the module of a command's name does
its work and is imported when the command is used, so ``--help`` stays quick.
"""

from animatize_assets.cli.entry import main

__all__ = ["main"]
