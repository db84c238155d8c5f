"""The six stages of one image, in plain Python: what each needs, and when it is already done."""
