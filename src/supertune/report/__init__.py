"""What a fit says afterwards: one HTML page, a model card, and lines for a terminal.

All three are made from the same ``report.json`` dict; nothing here computes a score. Every
function accepts a report with keys missing or None and leaves the matching part out.
"""

from supertune.report.card import markdown
from supertune.report.render import html, notebook
from supertune.report.text import summary

__all__ = ["html", "markdown", "notebook", "summary"]
