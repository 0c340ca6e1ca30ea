"""A package by file, for baycomp 1.0.3 installs one of this name: a mere folder would lose to it."""
