"""``animatize rate KEY 1-5``: a person's rating of what was made of an image."""

from __future__ import annotations

from animatize_assets.cli.keys import resolve_key
from animatize_assets.cli.terminal import Terminal
from animatize_assets.workplace.opening import open_workplace
from animatize_assets.workplace.rating import rate_image


def rate(terminal: Terminal, key: str, rating: int) -> int:
    """Keep the rating with the jobs that made the newest picture and clip.

    Raises:
        NoJobs: none is recorded.

    """
    workplace = open_workplace()
    image_key = resolve_key(key, workplace.known_keys(archived=True))
    jobs = rate_image(workplace, image_key, rating)
    document = {"image_key": image_key, "rating": rating, "jobs": [job.job_id for job in jobs]}
    terminal.document(document)
    made = " and ".join(job.parameters.job_type for job in jobs)
    terminal.say(f"Rated {rating} of 5: {made} of {image_key}.")
    return 0
