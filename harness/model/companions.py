"""Companions: packages that transformers imports where they are installed, and that break it where they are broken."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

# Each carries compiled parts for one build of torch.
COMPANIONS = ("torchvision", "torchaudio", "torchcodec", "timm")


def list_companions() -> tuple[str, ...]:
    """Return the companions that are installed, and torch beside them, with their versions; none is imported."""
    found = []
    for name in COMPANIONS:
        try:
            found.append(f"{name}-{version(name)}")
        except PackageNotFoundError:
            continue
    return (*found, f"torch-{version('torch')}") if found else ()


def tell_remedy(error: BaseException | None) -> str:
    """Return what to remove where an error, or what caused it, names a companion; "" where none does."""
    while error is not None:
        for name in COMPANIONS:
            if name in str(error):
                return f". Perhaps {name} was built for another torch: pip uninstall {name} (nothing here needs it)"
        error = error.__cause__ or error.__context__
    return ""
