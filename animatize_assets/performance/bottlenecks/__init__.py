"""Where time, pictures and money are lost: eight kinds of bottleneck, one detector each."""
