"""Pictures that will probably be asked for, made at night at half the price or for nothing."""
