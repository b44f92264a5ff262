"""`python -m benchmarks`: all figures. With `--short` a fiftieth of each, to see that all of it runs and that nothing is lost."""

import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import click
from rich.console import Console

from benchmarks import busy, day, delivery, footprint, masses, plots, report
from benchmarks.answers import Answers
from benchmarks.day import Watch
from benchmarks.installation import Installation
from gateway_hook.bench.figures import Figure, results, table
from wakequeue.errors import NoFigure

RESULTS: Final = Path(__file__).with_name("results.json")
SHORT: Final = 0.02

#: A short run doesn't wait for wakings to be over that take as long as a cold start.
SHORT_SETTINGS: Final = {"WAKEQUEUE_WAKING_FOR": "300ms"}

CONDITIONS: Final = {
    "settings": "the defaults, as `make up` has them; in one part of F10 idle_after is 15 minutes",
    "redis": "the embedded server, append-only file, appendfsync everysec, on this machine's disk",
    "celery": "events on, Flower runs",
    "load": "made on the same machine, by Mixer's authorization template, over 2 connections without TLS",
    "autoscaler": "a stat server that reads frames and says when they came",
}


@dataclass
class Run:
    """The figures so far, and what the plots are drawn from."""

    scale: float
    env: Mapping[str, str]
    figures: list[Figure] = field(default_factory=list)
    series: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def all(self) -> None:
        """Measure everything."""
        with Installation(env=self.env) as place:
            answers = Answers(place, self.scale)
            for figure in answers.figures():
                self.add(figure)
            answers.sweep()
            answers.handlers()
            self.series["handlers"] = answers.alone
            self.series["microseconds"] = answers.microseconds
            self.series["by_rate"] = [_at_rate(rate, *loads) for rate, loads in answers.by_rate.items()]
            figure, seconds = delivery.figure(place, answers.empty, self.scale)
            self.add(figure)
            latencies = answers.seconds | {"from a call to its stat": seconds}
            self.series["latency"] = {name: _cdf(seconds) for name, seconds in latencies.items()}
            self.add(busy.figure(place, answers.most_awake, self.scale))
            self.add(*footprint.memory(place, "F1 to F6"))
            figure, waves = masses.figure(place, self.scale)
            self.add(figure)
            self.add(*footprint.starts(place, self.scale))
        figure, two = masses.figure_of_two(self.scale, self.env)
        figures, growth = masses.figures_of_growth(self.scale, self.env)
        self.add(figure, *figures, footprint.ledger(growth[1]))
        self.series["masses"] = [mass.as_dict() for mass in [*waves, *two, *growth]]
        with Installation(env=self.env) as place:
            figure, watch = day.figure(place, self.scale)
        self.add(figure)
        self.series["day"] = _watched(watch)

    def add(self, *figures: Figure) -> None:
        """Take figures in, and say them."""
        for figure in figures:
            click.echo(f"{time.monotonic() - self.began:6.0f} s  {figure.figure}  {figure.what}", err=True)
        self.figures += figures


@click.command()
@click.option("--short", is_flag=True, help="A fiftieth of each, and write nothing but --output.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=RESULTS, show_default=True)
def main(*, short: bool, output: Path) -> None:
    """Measure an installation of this machine's own, and print the figures."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as Ctrl-C does, it ends what was started
    run = Run(SHORT, SHORT_SETTINGS) if short else Run(1.0, {})
    try:
        run.all()
    except NoFigure as error:
        msg = f"no figures: {error}"
        raise click.ClickException(msg) from error
    took = round(time.monotonic() - run.began)
    run.figures.sort(key=lambda figure: int(figure.figure[1:]))
    found = results(run.figures, CONDITIONS | {"took_seconds": took, "scale": run.scale, "other_settings": run.env}) | {
        "series": run.series
    }
    output.write_text(json.dumps(found, indent=1) + "\n")
    Console(width=200).print(table(run.figures))
    if not short:
        report.write(found)
        plots.draw(found)


def _at_rate(rate: float, *loads: Any) -> dict[str, float]:  # noqa: ANN401
    empty, front = loads
    return {
        "a_second": rate,
        **{f"empty_p{percent}": 1000 * empty.percentile(percent) for percent in (50, 99)},
        **{f"front_p{percent}": 1000 * front.percentile(percent) for percent in (50, 99)},
    }


def _cdf(seconds: Sequence[float]) -> list[float]:
    """In milliseconds, what so many of 200 equal parts of the samples don't exceed."""
    return [round(1000 * one, 4) for one in quantiles(seconds, n=200, method="inclusive")]


def _watched(watch: Watch) -> dict[str, Any]:
    rounded = {name: [round(one, 3) for one in values] for name, values in watch.cores.items()}
    memory = {name: [round(one, 1) for one in values] for name, values in watch.megabytes.items()}
    return {"seconds": [round(one, 2) for one in watch.seconds], "cores": rounded, "megabytes": memory}


if __name__ == "__main__":
    main()
