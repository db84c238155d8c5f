"""A loopback server that speaks the providers' protocols, and fails on demand.

Start it with ``server.loopback_server`` in a test, or ``process.loopback_process`` for one that
outlives a killed client. Every protocol has a port of its own, so that a key that reaches another
one's is seen. Belongs here: what a provider does. Does not belong here: anything of ours.
"""
