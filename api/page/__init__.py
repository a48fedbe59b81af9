"""The page to work in: rendered on the server, live by the stream, served from this package.

rendering      templates, what every view gets (`context`), answers with their CSP
access         `PageViewer`: who has no session goes to /login
faults         errors as a view: `PageRoute`
marks          filters of templates: times, counts, what is safe to show
static_files   /static: our own files and the vendored ones (static/VENDORED.md)
parts          the modules with routes
login          /login: where a log-in link leads

incidents         /: the list
incident_filters  what is chosen above it
headline          an incident in a few words
incident          /incidents/{id}: one
claims            its findings against their limits
history           what happened to it, in words
counts            /incidents/{id}/chart: what was counted in it

entity            /entities/{type}?entity=: one client, user or route
traffic           /traffic: requests, errors, detectors, health
silences          /silences: silences and deliveries
charts            numbers as page.js draws them

To add a view:

1. A module with `router = APIRouter(include_in_schema=False, route_class=PageRoute)` and a route
   whose first parameter is
   `call: Annotated[Call, Depends(PageViewer("SCOPE"))]`; it reads by the functions that the API
   reads by, and returns `render(call, "NAME.html", VALUES...)`.
2. `templates/NAME.html`, which extends `layout.html` and fills the blocks `title` and `main`. What
   is refreshed without a reload is a template of its own, `_NAME.html`, included by that: its
   outer element has `hx-get`, `hx-trigger="changed from:body"`, `hx-swap="outerHTML"`, and the
   route answers with it alone if `is_fragment(call.request)`.
3. A line in `parts`, one in `VIEWS` of rendering if it is in the navigation, and its row in
   docs/api.md.

Nothing in templates is script or style: the CSP refuses both. What changes something is a form
marked `data-api`, which page.js sends to the API itself:

    <form data-api data-method="PATCH" action="/api/v1/incidents/7" data-if-match='"7-3"'
          data-done="Acknowledged"><button name="status" value="acknowledged">...</button></form>

Fields become JSON by their names (`matchers.entity` nests); empty ones are left out; a field's
`data-type` says `number`, `list` (one item), `words` (items between commas) or `nullable` (empty is
null). `data-if-match-from="#id"` takes If-Match from that element's `data-etag`; a form whose
`action` has `{id}` is sent for each incident that it is about, with the `data-etag` of its row.
`data-go` names where to go afterwards; otherwise every fragment that listens to `changed` is read
anew.

`<figure data-chart="/path">` is drawn from JSON, `{"charts": [CHART]}` or one CHART, with the same
numbers as a table below; it hides where there is nothing to draw:

    {"title": "...", "unit": "requests", "x": [epoch seconds],
     "series": [{"label": "...", "role": "value", "values": [1, null]}]}

with role `value`, `other`, `warning`, `error`, `limit` (dashed), `expected`, or `low` and `high`
(a band).
"""
