"""Training and scoring folds."""
