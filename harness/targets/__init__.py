"""What is predicted: encoded, scored by a loss, read back from outputs."""
