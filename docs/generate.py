"""Write the references beside this file from the code that they describe; with --check, only say whether they are up to date."""

import inspect
import os
import re
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import msgspec
from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase

from wakequeue import telemetry
from wakequeue.events import Event
from wakequeue.setting_needs import NEEDS
from wakequeue.setting_sources import LESS, ORIGINAL_NAMES, PREFIX, allowed
from wakequeue.setting_types import SECONDS, Seconds
from wakequeue.settings import Settings

DOCS = Path(__file__).parent
#: What Prometheus adds to a name.
SUFFIXES = {"counter": "_total", "info": "_info"}

REGISTRIES = {"front": telemetry.FRONT, "worker": telemetry.WORKER, "beat": telemetry.BEAT}

NOTE = "<!-- Made from the code by `make references`. -->\n\n"

SETTINGS = """\
# Settings

Settings are read from the environment, over a TOML file that `WAKEQUEUE_SETTINGS_FILE` names, over the defaults. In the file a
setting is called without the prefix, in lower case: `WAKEQUEUE_REDIS_URL` is `redis_url`. Durations are written `500ms`, `2s`, `5m`
or `1h`; lists and tables are TOML's own in the file, and JSON in the environment. An empty variable is one that isn't set. A wrong
or unknown setting ends the process with exit code 2 and one line that says what is allowed. Give all processes of an installation
the same.
"""

METRICS = """\
# Metrics

Each process serves these at `/metrics` of its `admin_address`, with those of its own process and of Python (`process_...`,
`python_info`); `wakequeue up` serves those of all its processes together, with a label `role`. What a worker says of the ledger is
the same from every worker: take the maximum, not the sum. A histogram has `..._bucket`, `..._sum` and `..._count`.
"""

EVENTS = """\
# Log events

Each process writes to stderr, one line an event: the time, the level, the event, and what else there is to say of it as
`key=value`; with `log_format = json` a line is one JSON object. What libraries warn of stands between them as it is.

| event | what happened |
|---|---|
"""


class Commented(NamedTuple):
    """A line that names something in a class's body, with the `#:` above it (or above the one before: `again`), in its section."""

    section: str
    name: str
    line: str
    comment: str
    again: bool


def commented(source: type) -> Iterator[Commented]:
    """Read the body of a class: a line `# ...` begins a section, `#: ...` says something of all names up to the next."""
    section, comment, before, again = "", "", "", False
    for line in inspect.getsource(source).splitlines():
        if match := re.match(r"    #: (.*)", line):
            comment = f"{comment} {match[1]}" if "#: " in before else match[1]
            again = False
        elif match := re.match(r"    # (.*)", line):
            section = match[1]
        elif match := re.match(r"    (\w+)(:| =) ", line):
            yield Commented(section, match[1], line, comment, again)
            again = True
        before = line


def settings() -> str:
    """`docs/settings.md`."""
    os.environ["XDG_STATE_HOME"] = "~/.local/state"
    kinds = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    found = list(commented(Settings))
    assert [one.name for one in found] == list(kinds), "a setting's line is not as all others"
    text, section = SETTINGS, ""
    for one in found:
        if one.section != section:
            section = one.section
            text += f"\n## {section}\n\n| setting | what it does | what is allowed | default |\n|---|---|---|---|\n"
        says = "as above" if one.again else escaped(one.comment)
        rules = "; ".join([allowed(kinds[one.name]), *needs(one.name)])
        text += f"| {names(one.name)} | {says} | {escaped(rules)} | {default(one)} |\n"
    return text


def names(name: str) -> str:
    """A setting by its variable, and by that of the original adapter."""
    variables = [PREFIX + name.upper(), *(variable for variable, meant in ORIGINAL_NAMES.items() if meant == name)]
    return " or ".join(f"`{variable}`" for variable in variables)


def needs(name: str) -> Iterator[str]:
    """What else must hold where the setting is set."""
    for less, more in LESS:
        if less == name:
            yield f"{'shorter' if isinstance(getattr(Settings(), more), Seconds) else 'less'} than `{more}`"
    for setting, _, words in NEEDS:
        if setting == name:
            yield re.sub(r"\b[a-z]+(_[a-z]+)+\b", r"`\g<0>`", words)


def default(setting: Commented) -> str:
    """A default as an operator would write it."""
    if written := re.search(r'= \w+\.parse\("(.+)"\)$', setting.line):
        return f"`{written[1]}`"
    match value := getattr(Settings(), setting.name):
        case bool():
            return f"`{str(value).lower()}`"
        case Seconds():
            unit = next(unit for unit in ("h", "m", "s", "ms") if value / SECONDS[unit] >= 1)
            return f"`{round(value / SECONDS[unit], 3):g}{unit}`"
        case int() | float():
            return f"`{value}`"
        case tuple() if value and all(isinstance(one, str) for one in value):
            return ", ".join(f"`{one}`" for one in value)
    return f"`{value}`" if value and str(value) != "***" else "none"


def metrics() -> str:
    """`docs/metrics.md`."""
    exported = {name: {family.name: family for family in registry.collect()} for name, registry in REGISTRIES.items()}
    ours = {one.describe()[0].name: one for one in vars(telemetry).values() if isinstance(one, MetricWrapperBase)}
    tables: dict[str, str] = {}
    for name, metric in ours.items():
        found = [families[name] for families in exported.values() if name in families]
        where = ", ".join(process for process, families in exported.items() if name in families)
        shown = f"`{name}{SUFFIXES.get(found[0].type, '')}`"
        text = f"| {shown} | {found[0].type} | {labels(metric, found)} | {escaped(found[0].documentation)} |\n"
        tables[where] = tables.get(where, "") + text
    head = "\n\n| metric | type | labels | what it says |\n|---|---|---|---|\n"
    return METRICS + "".join(f"\n## {where.capitalize()}{head}{table}" for where, table in tables.items())


def labels(metric: MetricWrapperBase, families: list[Metric]) -> str:
    """A metric's labels, each with the values that are known from the start."""
    samples = [sample.labels for family in families for sample in family.samples]
    if not metric._labelnames:  # an Info's labels are its words
        return ", ".join(f"`{name}`" for name in sorted({name for said in samples for name in said} - {"le"}))
    known = {name: dict.fromkeys(f"`{said[name]}`" for said in samples if name in said) for name in metric._labelnames}
    return "; ".join(f"`{name}`" + (f": {', '.join(values)}" if values else "") for name, values in known.items())


def events() -> str:
    """`docs/log-events.md`."""
    members: dict[str, Enum] = dict(Event.__members__)
    return EVENTS + "".join(f"| `{members[one.name].value}` | {escaped(one.comment)} |\n" for one in commented(Event))


def escaped(text: str) -> str:
    """A text in a cell of a table, where nothing of it but code between backticks is Markdown."""
    parts = text.replace("|", "\\|").split("`")
    parts[::2] = [re.sub(r"[*<]", r"\\\g<0>", part) for part in parts[::2]]
    return "`".join(parts)


def main() -> None:
    """Write, or compare."""
    made = {"settings.md": settings(), "metrics.md": metrics(), "log-events.md": events()}
    pages = {DOCS / name: NOTE + text for name, text in made.items()}
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        sys.exit(f"not up to date, run `make references`: {', '.join(path.name for path in stale)}" if stale else 0)
    for path in stale:
        path.write_text(pages[path], encoding="utf-8")


if __name__ == "__main__":
    main()
