"""From fold scores to honest rankings."""
