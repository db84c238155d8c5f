"""Scene and movements to a prompt for a named target model."""
