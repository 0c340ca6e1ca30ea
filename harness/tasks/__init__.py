"""One task type a file: a modality joined with a target."""
