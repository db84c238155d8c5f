"""What a room tells while it works: phases, jobs, look-ups in caches, metrics."""
