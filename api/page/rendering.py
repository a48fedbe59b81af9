"""Templates, what every view gets, and answers under the page's policy."""

from functools import cache
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from alerts.access.keys import Role
from api.access import Call
from api.page.marks import FILTERS, plain
from api.page.static_files import static_url

#: Of every HTML answer: nothing from elsewhere, no inline script or style, nobody's frame.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

#: The navigation: address and name of each view that is in it.
VIEWS: Final[tuple[tuple[str, str], ...]] = (
    ("/", "Incidents"),
    ("/traffic", "Traffic"),
    ("/silences", "Silences"),
)

_MISSING: Final = 404


@cache
def templates() -> Environment:
    """Return the page's templates: everything escaped, every name known."""
    environment = Environment(
        loader=PackageLoader("api.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=plain,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(FILTERS)
    environment.globals["static"] = static_url
    return environment


def context(request: Request, call: Call | None) -> dict[str, Any]:
    """Return what layout.html needs: who looks, what they may, where they are; None at /login."""
    return {
        "path": request.url.path,
        "views": VIEWS,
        "who": None if call is None else call.caller.name,
        "role": None if call is None else call.caller.role.label,
        "csrf": "" if call is None else call.caller.csrf or "",
        "may_change": call is not None and call.caller.role >= Role.ANALYST,
        "kind": None if call is None else call.caller.kind,
    }


def render(call: Call, template: str, status: int = 200, /, **values: Any) -> Response:  # noqa: ANN401 - what templates show
    """Return a view for somebody, with the headers that its access gave."""
    answer = _answer(template, status, context(call.request, call) | values)
    answer.headers.update(call.response.headers)
    return answer


def render_open(request: Request, template: str, **values: Any) -> Response:  # noqa: ANN401 - what templates show
    """Return a view for anybody; it must show nothing of what is kept."""
    return _answer(template, 200, context(request, None) | values)


def render_missing(call: Call, why: str) -> Response:
    """Return the view of what is not there, or not any more."""
    return render(call, "missing.html", _MISSING, why=why)


def _answer(template: str, status: int, values: dict[str, Any]) -> Response:
    html = templates().get_template(template).render(values)
    headers = {"Content-Security-Policy": POLICY, "Vary": "Cookie, HX-Request"}
    return HTMLResponse(html, status, headers)
