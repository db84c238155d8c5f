"""What a process works on: the rooms opened with the settings of this process.

Belongs here: what the Dagster layer, the command line and the web service would otherwise each do
in their own way: settings as the rooms' plain arguments, the stores below the data folder, what is
stored of an image, how long a run will take. Does not belong here: Dagster, what a person sees.
"""
