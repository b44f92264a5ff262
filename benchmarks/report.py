"""The README's table of the last full run, between two marks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway_hook.bench.figures import shown_number

README: Final = Path(__file__).parent.parent / "README.md"
BEGIN: Final = "<!-- figures: written by `make bench` -->\n"
END: Final = "<!-- end of figures -->\n"


def write(results: Mapping[str, Any]) -> None:
    """Put the table of these results into the README."""
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(before + BEGIN + markdown(results) + END + rest.partition(END)[2])


def markdown(results: Mapping[str, Any]) -> str:
    """The table, and its conditions."""
    machine, versions = results["machine"], results["versions"]
    lines = ["| | what | measured | aim | met |", "|---|---|---|---|---|"]
    for one in results["figures"]:
        tail = f", p99 {shown_number(one['p99'])}" if one["p99"] is not None else ""
        ratio = f"; {shown_number(one['ratio'])} times" if one["ratio"] is not None else ""
        value = f"{shown_number(one['value'])} {one['unit']}{tail}{ratio}"
        lines.append(f"| {one['figure']} | {one['what']} | {value} | {one['aim']} | {'yes' if one['met'] else '**no**'} |")
    conditions = (
        f"Measured at {results['at']} on {machine['cores']} cores ({machine['processor']}), {machine['system']}, "
        f"Python {versions['python']}, grpcio {versions['grpcio']}, Celery {versions['celery']}; "
        f"it took {results['conditions']['took_seconds']} s."
    )
    return "\n".join([*lines, "", conditions, ""])
