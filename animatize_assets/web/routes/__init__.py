"""The routes, one module for each part of the API; each has a ``router`` with its whole prefix.

Belongs here: from a request to a call of a room, and from its answer to a model of the API. Does
not belong here: who may call (``web.access``), anything computed.
"""
