"""The scan with many rules: 300 in the manner of SigmaHQ's web rules, beside the built-in ones.

    python -m bench.rules [--lines 1000000] [--runs 5] [--rules 300] [--keep FOLDER]

Runs the scan in turns without them, with them, and with as many of which some also match ordinary
traffic, on one simulated log. The rules are made up, the same at every run: of every kind in about
the share that the community's web and proxy rules have. Those name what attacks, malware and odd
tools send, which hardly any traffic does; so the second figure is the one to go by. The third is
for rules that fit a log badly: two dozen name the agents python-requests and Go-http-client, which
makes some 70,000 findings and 4,100 incidents of a million lines.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml
from rich.console import Console
from rich.table import Table

from bench.__main__ import Run, make_log, measure

Detection = dict[str, Any]

_PRODUCTS: Final = (
    "acme-vpn", "bigproxy", "citypanel", "datagrid", "edgegate", "filedrop", "gridmail", "helpdock",
    "inframon", "jobrunner", "keybroker", "loadview", "mailforge", "netdash", "opsportal",
    "printhub", "quickcms", "repobox", "shopfront", "ticketeer", "uploader", "viewplanner",
    "webconsole", "xmlgate", "yieldbi", "zonecontrol",
)  # fmt: skip
_ACTIONS: Final = (
    "ajax", "assets", "backup", "cgi-bin", "client", "config", "debug", "dispatch", "download",
    "exec", "export", "file", "import", "install", "invoke", "jsp", "manager", "plugin", "proxy",
    "remote", "report", "rest", "servlet", "setup", "shell", "soap", "template", "upload", "webdav",
)  # fmt: skip
_ENDINGS: Final = (".action", ".ashx", ".asmx", ".aspx", ".cgi", ".do", ".jsp", ".php", ".pl", "/")
_PAYLOADS: Final = (
    "union select", "union%20select", "' or '1'='1", "sleep(", "benchmark(", "waitfor delay",
    "information_schema", "xp_cmdshell", "<script", "%3cscript", "javascript:", "onerror=",
    "../../", "..%2f..%2f", "/etc/passwd", "/etc/shadow", "win.ini", "boot.ini", "cmd=whoami",
    "cmd.exe", "/bin/sh", "wget http", "curl http", "powershell", "base64_decode(", "eval(",
    "phpinfo()", "${jndi:", "%24%7bjndi", "{{7*7}}", "<!entity", "file:///", "gopher://",
    "dict://", "169.254.169.254", "localhost:8080", "getruntime()", "processbuilder", "@@version",
)  # fmt: skip
_AGENTS: Final = (
    "acunetix", "arachni", "dirbuster", "fhscan", "gobuster", "grendel-scan", "havij", "masscan",
    "metasploit", "morfeus", "nessus", "netsparker", "nikto", "nmap", "nuclei", "openvas",
    "paros", "skipfish", "sqlmap", "vega/", "w3af",
    "wfuzz", "whatweb", "wpscan", "zgrab", "zmeu", "xmrig", "ccminer", "hello, world", "rclone/",
    "microsoft bits/", "winhttp", "certutil", "loader", "mozila/", "mozilla/3.0 ", "curl/7.1",
)  # fmt: skip
#: What programs of honest people send, too.
_ORDINARY_AGENTS: Final = ("python-requests", "go-http-client")
_EXPRESSIONS: Final = (
    r"/{a}/[a-z]{{3,8}}\.(?:php|jsp|aspx)$",
    r"(?i){p}\.(zip|asp|htm|url)\?d=[0-9]{{1,3}}\.[0-9]{{1,3}}",
    r"^/{p}/[0-9a-f]{{32}}/{a}",
    r"(?:\.\./){{3,}}{a}",
    r"/{a}\?id=[0-9]+['\"]\s*(?:or|and)\s",
    r"[?&]{a}=https?://[0-9.]+/",
)


class _Writer:
    """Makes up rules of several kinds, the same for the same number."""

    def __init__(self, seed: int, agents: tuple[str, ...]) -> None:
        self._random = random.Random(seed)
        self._tools = agents
        # of every kind, how many in a hundred
        self._kinds: dict[Callable[[], Detection], int] = {
            self._exploit: 34,
            self._paths: 18,
            self._agents: 14,
            self._keywords: 10,
            self._together: 9,
            self._expression: 9,
            self._download: 6,
        }

    def rule(self, number: int) -> dict[str, Any]:
        """Return one rule."""
        (kind,) = self._random.choices(list(self._kinds), list(self._kinds.values()))
        return {
            "title": f"Made-up web rule {number}",
            "id": str(uuid.UUID(int=self._random.getrandbits(128), version=4)),
            "status": "test",
            "description": f"Of the kind {kind.__name__.strip('_')}.",
            "logsource": {"category": self._random.choice(["webserver", "proxy"])},
            "detection": kind(),
            "falsepositives": ["Unknown"],
            "level": self._random.choice(["low", "medium", "high", "critical"]),
            "tags": ["attack.initial-access", "attack.t1190"],
        }

    def _product(self) -> str:
        return self._random.choice(_PRODUCTS)

    def _path(self) -> str:
        action, ending = self._random.choice(_ACTIONS), self._random.choice(_ENDINGS)
        return f"/{self._product()}/{action}{self._random.randint(1, 99)}{ending}"

    def _some(self, of: tuple[str, ...], least: int, most: int) -> list[str]:
        return self._random.sample(of, self._random.randint(least, most))

    def _exploit(self) -> Detection:
        query = "cs-uri-query|contains"
        selection: Detection = {
            "cs-method": self._random.choice(["GET", "POST"]),
            self._random.choice(["cs-uri-stem|contains", "c-uri|contains"]): self._path(),
            query: self._some(_PAYLOADS, 1, 6),
        }
        if self._random.choice([True, False]):
            del selection[query]
            selection["sc-status"] = [200, 302]
        return {"selection": selection, "condition": "selection"}

    def _paths(self) -> Detection:
        where = self._random.choice(["startswith", "endswith", "contains"])
        paths = [self._path() for _ in range(self._random.randint(2, 12))]
        return {
            "selection": {f"cs-uri-stem|{where}": paths},
            "filter_main_status": {"sc-status": [404, 403]},
            "condition": "selection and not 1 of filter_main_*",
        }

    def _agents(self) -> Detection:
        exact = [f"Mozilla/4.0 (compatible; MSIE 6.0; {self._product()})" for _ in range(8)]
        return {
            "selection_part": {"c-useragent|contains": self._some(self._tools, 3, 20)},
            "selection_start": {"c-useragent|startswith": [f"{self._product()}/", "Mozilla/2.0 "]},
            "selection_exact": {"c-useragent": [*exact, "_", "x"]},
            "filter": {"cs-host|endswith": [".example.com", ".example.org"]},
            "condition": "1 of selection_* and not filter",
        }

    def _keywords(self) -> Detection:
        return {
            "select_method": {"cs-method": "GET"},
            "keywords": self._some(_PAYLOADS, 8, 25),
            "filter": {"sc-status": 404},
            "condition": "select_method and keywords and not 1 of filter*",
        }

    def _together(self) -> Detection:
        return {
            "selection": {"c-uri|contains|all": [self._path(), f"{self._product()}=", "token="]},
            "condition": "selection",
        }

    def _expression(self) -> Detection:
        pattern = self._random.choice(_EXPRESSIONS)
        text = pattern.format(p=self._product(), a=self._random.choice(_ACTIONS))
        return {"selection": {"c-uri|re": text}, "condition": "selection"}

    def _download(self) -> Detection:
        return {
            "selection": {
                "c-uri-extension": self._some(("exe", "hta", "ps1", "vbs", "dll", "iso"), 2, 5),
                "r-dns|endswith": [f".{self._product()}.test" for _ in range(4)],
            },
            "filter": {"c-ip|cidr": ["10.0.0.0/8", "192.168.0.0/16"]},
            "condition": "selection and not filter",
        }


def write_rules(folder: Path, count: int, *, ordinary: bool = False) -> None:
    """Write so many rules into a folder, a file each; `ordinary`: some match ordinary traffic."""
    writer = _Writer(1, _AGENTS + (_ORDINARY_AGENTS if ordinary else ()))
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        text = yaml.safe_dump(writer.rule(number), sort_keys=False, width=100)
        (folder / f"web_{number:03}.yml").write_text(text, encoding="utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rules", type=int, default=300)
    parser.add_argument("--log", type=Path, help="measure on this combined log instead")
    parser.add_argument("--keep", type=Path, help="write the rules into this folder, and no more")
    options = parser.parse_args()
    if options.keep:
        write_rules(options.keep, options.rules)
        return
    with tempfile.TemporaryDirectory(prefix="vedette-bench-") as name:
        folder = Path(name)
        log = options.log or make_log(folder, options.lines)
        runs = compare(log, options.rules, options.runs, folder)
    Console().print(report(runs))
    print(json.dumps({p: [(r.seconds, r.peak_mb) for r in found] for p, found in runs.items()}))


def compare(log: Path, rules: int, rounds: int, folder: Path) -> dict[str, list[Run]]:
    """Scan one log in turns without the rules, with them, and with those that fit badly."""
    scan = [sys.executable, "-m", "vedette", "scan", str(log)]
    programs = {"built-in": scan}
    for name, ordinary in ((f"and {rules} more", False), ("and some that fit badly", True)):
        settings = folder / f"{len(programs)}.toml"
        write_rules(folder / settings.stem, rules, ordinary=ordinary)
        settings.write_text(f'[rules]\nfolders = ["{folder / settings.stem}"]\n', encoding="utf-8")
        programs[name] = [*scan, "--config", str(settings)]
    runs: dict[str, list[Run]] = {program: [] for program in programs}
    for number in range(rounds + 1):
        for program, command in programs.items():
            run = measure(command, folder / "state")
            if number:  # the first round warms the file cache
                runs[program].append(run)
    return runs


def report(runs: dict[str, list[Run]]) -> Table:
    """Return medians, spread, and speed as a share of that without the rules."""
    table = Table(title="scan, whole processes")
    for column in ("rules", "median s", "min", "max", "of built-in", "peak MB"):
        table.add_column(column, justify="right")
    first = statistics.median(run.seconds for run in runs["built-in"])
    for program, found in runs.items():
        seconds = [run.seconds for run in found]
        median = statistics.median(seconds)
        table.add_row(
            program,
            f"{median:.2f}",
            f"{min(seconds):.2f}",
            f"{max(seconds):.2f}",
            f"{first / median:.2f}",
            f"{max(run.peak_mb for run in found):,.0f}",
        )
    return table


if __name__ == "__main__":
    main()
