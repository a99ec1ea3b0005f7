"""``report.html``: one file that needs no network, no script and no other file to be read.

The page forbids itself every load from elsewhere with a content security policy; its only
script (the copy buttons) is allowed by hash. All text is escaped by Jinja2.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from supertune.report import charts, plots, views, wording
from supertune.report.thumbnails import Thumbnails

if TYPE_CHECKING:
    from jinja2 import Environment

_NO_THUMBNAILS: Thumbnails = MappingProxyType({})


def html(report: Mapping[str, Any], thumbnails: Thumbnails = _NO_THUMBNAILS) -> str:
    """The page for one ``report.json``; equal reports give equal bytes. ``thumbnails`` as
    `supertune.report.thumbnails.of` gives them."""
    template = _environment().get_template("report.html")
    style, script = _source("style.css"), _source("copy.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return template.render(
        report=report,
        view=views.view(report),
        thumbnails=thumbnails,
        style=style,
        script=script,
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'",
    )


def notebook(
    report: Mapping[str, Any], thumbnails: Thumbnails = _NO_THUMBNAILS, height: int = 640
) -> str:
    """The page inside a frame of ``height`` pixels, for a notebook's ``_repr_html_``.

    The frame keeps the page's style off the notebook's, and the notebook's off the page's.
    """
    from markupsafe import escape

    return (
        f'<iframe title="supertune report" sandbox="allow-scripts" width="100%" '
        f'height="{height}" style="border:1px solid #8884" '
        f'srcdoc="{escape(html(report, thumbnails))}"></iframe>'
    )


def _source(name: str) -> str:
    return (resources.files("supertune.report") / "templates" / name).read_text("utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import ChainableUndefined, Environment, PackageLoader

    made = Environment(
        loader=PackageLoader("supertune.report"),
        autoescape=True,
        undefined=ChainableUndefined,
        finalize=_final,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        size=wording.size,
        duration=wording.duration,
        percent=wording.percent,
        count=wording.count,
        shorten=_shorten,
        plain=wording.plain,
        named=wording.label_name,
        metric=wording.metric_name,
        measured=wording.measured,
        first_upper=wording.first_upper,
        backbone=wording.backbone_name,
        fine=lambda one: wording.Numerals(3).estimate(one, rows=False),
        fine_gap=wording.Numerals(3).difference,
        rows_phrase=views.rows_phrase,
        compact=_compact,
        date=_date,
    )
    made.globals.update(
        whisker=_safe(charts.whisker),
        axis=_safe(charts.axis),
        reliability=_safe(charts.reliability),
        against=_safe(plots.against),
        residual_bars=_safe(plots.residual_bars),
        curve=_safe(plots.curve),
        scale=charts.scale,
    )
    return made


def _final(value: object) -> object:
    """What is printed for a value: nothing for None, valid UTF-8 for text."""
    from markupsafe import Markup

    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return wording.clean(value)
    return value


def _shorten(value: object, limit: int) -> str:
    from jinja2 import Undefined

    return "" if value is None or isinstance(value, Undefined) else wording.shorten(value, limit)


def _safe(draw: Any) -> Any:
    """A chart function whose SVG, made of numbers and escaped text, is not escaped again."""
    from markupsafe import Markup

    return lambda *args, **options: Markup(draw(*args, **options))


def _compact(value: object) -> str:
    """A recipe's or version's value in one line of JSON."""
    if isinstance(value, str) and value:
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


# not calendar.month_name, which follows the machine's language
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _date(moment: object) -> str:
    """``2026-03-02T10:14:07+00:00`` as ``2 March 2026, 10:14 UTC``; anything else as it is."""
    from datetime import datetime

    try:
        when = datetime.fromisoformat(str(moment))
    except ValueError:
        return str(moment or "")
    zone = f" {when.tzname()}" if when.tzinfo else ""
    month = _MONTHS[when.month - 1]
    return f"{when.day} {month} {when.year}, {when:%H:%M}{zone}"
