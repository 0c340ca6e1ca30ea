"""One source of data a file: a path to examples."""
