"""``python -m animatize_assets.cli``: the command line where its script is not installed."""

from animatize_assets.cli.entry import main

main()
