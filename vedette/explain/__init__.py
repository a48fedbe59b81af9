"""Why there was an incident, or none: one line, or one entity at a time, as the detectors see it.

- `readings`: a line: its format and the others, where each field comes from, what is masked
- `entities`: an entity: what each rule counted over the window that holds a time, what is learned
  and expected, the findings, and why there is an incident or none
- `live`: the same from what the service has stored
- `line_screen`, `entity_screen`, `plain`: both on a terminal, and as JSON

The rules' part of a line is `detectors.single`, that of counters `detectors.probe`: they ask the
functions that the engine uses.
"""
