"""What an upload is: validate, normalise, name by content, store."""
