"""One tuning method a file: which parameters train."""
