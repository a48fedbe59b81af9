"""Log formats, one small file each; adding one is a file and a line in the registry.

combined, common, vhost_combined  the CLF family: `clf` (fast), `clf_odd` (careful)
json, json_lines, json_names      one JSON object a line, with any names
w3c, directives                   W3C extended: IIS, CloudFront and all that have `#Fields:` lines
declared, catalogue/NAME.toml     all others: a pattern, and examples that are its tests
patterns                          formats from patterns: `nginx`, `apache`, `envoy` say what a
                                  server's format string means, `pieces` makes it expressions,
                                  `text_lines` reads lines by them, `strftime` times of any form
registry                          all formats by name, the most specific first
detection, mixed                  which format a log has; logs that mix several
fields, parsed                    what the fields of all formats mean, and what every one returns
"""

from ingest.formats.errors import FormatError
from ingest.formats.parsed import Format
from ingest.formats.patterns import PATTERNS, compile_pattern
from ingest.formats.registry import FORMATS

__all__ = ["FORMATS", "PATTERNS", "Format", "FormatError", "compile_pattern"]
