"""The REST API, and what a browser sees of it.

Belongs here: HTTP: routes, their models, who may call, how refusals are told. Does not belong here:
what a route answers with (the rooms below), anything that Dagster runs.
"""
