"""One comparison, written in every format people paste."""
