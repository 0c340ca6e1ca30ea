"""Proposing candidates and driving them through folds."""
