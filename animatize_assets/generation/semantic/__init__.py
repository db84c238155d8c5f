"""Whether a picture that was made for one text may serve another."""
