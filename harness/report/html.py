"""A comparison as one HTML page that needs nothing else: no script, no request; jinja2's door."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from harness.judge.comparison import Comparison
from harness.record.incumbents import Incumbents
from harness.record.lock import Provenance
from harness.report.layout import sanitise
from harness.report.numbers import show_metric
from harness.report.page import lay_out_page

NO_INCUMBENTS = Incumbents()


def render(
    comparison: Comparison,
    *,
    provenance: Provenance | None = None,
    incumbents: Incumbents = NO_INCUMBENTS,
) -> str:
    """Return the page; every name in it is text. What is not given is left out."""
    page = lay_out_page(comparison, provenance, incumbents)
    return _load_template().render(page=page, show_metric=show_metric)


@cache
def _load_template() -> Template:
    environment = Environment(
        loader=PackageLoader("harness.report", "templates"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def _finalize(value: object) -> object:
    """Return what a template prints: markup of our own macros as it is, everything else made harmless."""
    return value if isinstance(value, Markup) else sanitise(str(value))
