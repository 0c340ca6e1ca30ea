"""One metric a file: predictions, targets and row weights to a number."""
