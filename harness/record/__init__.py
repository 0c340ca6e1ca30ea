"""What happened, written so that it survives."""
