"""A comparison as one HTML file: no scripts, nothing from elsewhere, fit to be passed on."""

from collections.abc import Sequence
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from ingest.masking import printable
from vedette.backtest.comparing import Change, Comparison
from vedette.backtest.peaks import Peaks
from vedette.backtest.pictures import COLOURS, bars, strip, timeline
from vedette.backtest.words import about, figure_rows, headline, span_of, verdict_of

#: Differences of one kind that the page lists at most.
LISTED: Final = 200

_KINDS: Final[tuple[tuple[Change, str], ...]] = (
    ("gained", "Gained: only the settings after tell of these"),
    ("lost", "Lost: only the settings before told of these"),
    ("changed", "Changed: both tell of these, not the same"),
)

_TEMPLATE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Back-test: {{ names[1] }}</title>
<style>
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #24303c; background: #f5f7f9; margin: 0; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .6rem; }
.about { color: #5f6b76; margin: 0 0 1.25rem; }
.headline { font-size: 1.05rem; font-weight: 600; margin: 0 0 1.25rem; }
section.card { background: #fff; border: 1px solid #dfe5ea; border-radius: 8px;
  padding: 1rem 1.25rem; }
table { border-collapse: collapse; width: 100%; background: #fff; border: 1px solid #dfe5ea; }
th, td { padding: .45rem .7rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid #e9edf1; }
th { font-size: .82rem; color: #5f6b76; font-weight: 600; background: #fafbfc; }
.figures { width: auto; min-width: 26rem; }
.figures td:not(:first-child), .figures th:not(:first-child) { text-align: right;
  font-variant-numeric: tabular-nums; }
td.time, td.severity { white-space: nowrap; }
td.entity, td.measured { overflow-wrap: anywhere; }
td.entity { min-width: 11rem; }
td.measured { min-width: 18rem; }
.what { font-weight: 600; }
.label { white-space: normal; }
.attack { color: #b5400a; font-weight: 600; }
.false { color: #00558a; font-weight: 600; }
.none { color: #8a97a6; }
svg { width: 100%; height: auto; font-family: system-ui, sans-serif; }
.changes { display: flex; gap: .6rem; flex-wrap: wrap; margin: 0 0 1rem; padding: 0; }
.changes li { list-style: none; padding: .3rem .8rem; border-radius: 999px; color: #fff;
  font-weight: 600; font-size: .9rem; }
code { font: .88em ui-monospace, monospace; background: #eef2f5; padding: .1em .35em;
  border-radius: 4px; overflow-wrap: anywhere; }
footer { color: #5f6b76; font-size: .85rem; margin-top: 2.5rem; }
@media print { body { background: #fff; } main { max-width: none; padding: 0; } }
</style>
</head>
<body>
<main>
<h1>Back-test</h1>
<p class="about">before: <code>{{ names[0] }}</code> &nbsp; after: <code>{{ names[1] }}</code><br>
{{ about }}</p>
<p class="headline">{{ headline }}</p>
<ul class="changes">
{%- for kind, title, found, count in kinds %}
<li style="background: {{ colours[kind] }}">{{ count }} {{ kind }}</li>
{%- endfor %}
</ul>
<table class="figures">
<tr><th></th><th>before</th><th>after</th><th>difference</th></tr>
{%- for name, old, new, difference in figures %}
<tr><td>{{ name }}</td><td>{{ old }}</td><td>{{ new }}</td><td>{{ difference }}</td></tr>
{%- endfor %}
</table>
{%- if missed %}
<h2>Attacks that are no longer found</h2>
<ul>{% for name in missed %}<li>{{ name }}</li>{% endfor %}</ul>
{%- endif %}
{%- for title, picture in pictures %}
<h2>{{ title }}</h2>
<section class="card">{{ picture }}</section>
{%- endfor %}
{%- for kind, title, found, count in kinds if count %}
<h2>{{ title }} ({{ count }})</h2>
<table>
<tr><th>since (UTC)</th><th>severity</th><th>entity</th><th>what was measured</th>
<th>label</th></tr>
{%- for each in found %}
<tr>
<td class="time">{{ each.span }}</td>
<td class="severity">{{ each.severity }}</td>
<td class="entity">{{ each.type }} <code>{{ each.entity }}</code></td>
<td class="measured">
{%- for line in each.what %}<div class="what">{{ line }}</div>{% endfor %}
{%- for line in each.measured %}<div>{{ line }}</div>{% endfor %}</td>
<td class="label {{ each.tone }}">{{ each.label }}</td>
</tr>
{%- endfor %}
</table>
{%- if count > found|length %}
<p class="about">The first {{ found|length }} of {{ count }}.</p>
{%- endif %}
{%- endfor %}
<footer>Made by vedette backtest. Text from logs is masked.
{{ unchanged }} incidents are the same before and after.</footer>
</main>
</body>
</html>
"""


def page_of(compared: Comparison, peaks: Sequence[Peaks]) -> str:
    """Return the page. Text from logs is escaped, and no content policy lets it run."""
    pictures = [
        ("Where the limits lie: how high each entity came", Markup("").join(map(strip, peaks))),
        ("By detector", bars(compared)),
        ("Over time", timeline(compared)),
    ]
    return (
        Environment(autoescape=True)
        .from_string(_TEMPLATE)
        .render(
            names=[printable(name) for name in compared.names],
            about=about(compared),
            headline=headline(compared),
            figures=list(figure_rows(compared)),
            colours=COLOURS,
            missed=[printable(name) for name in compared.missed],
            pictures=[(title, picture) for title, picture in pictures if picture],
            kinds=[(kind, title, *_rows(compared, kind)) for kind, title in _KINDS],
            unchanged=f"{compared.unchanged:,}",
        )
    )


def _rows(compared: Comparison, kind: Change) -> tuple[list[dict[str, object]], int]:
    found = compared.only(kind)
    rows: list[dict[str, object]] = []
    for each in found[:LISTED]:
        old, new = each.severity
        rows.append(
            {
                "span": span_of(each),
                "severity": f"{old} → {new}" if old and new and old != new else new or old,
                "type": each.entity_type,
                "entity": printable(each.entity),
                "what": [printable(line) for line in each.what],
                "measured": [printable(str(line)) for line in each.telling],
                "label": printable(verdict_of(each)),
                "tone": _TONES.get(each.known.label, "none"),
            }
        )
    return rows, len(found)


_TONES: Final = {"attack": "attack", "false alarm": "false"}
