"""One recipe a file: from verified members to a `save_pretrained` folder or to `examples.parquet`."""
