"""A pretrained network: loaded safely, cut at a depth, proven frozen."""
