"""A prompt to a picture, by a provider."""
