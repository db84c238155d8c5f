"""A loopback server that speaks the providers' protocols, and fails on demand."""
