"""What is tested is the wheel, and the wheel takes no other distribution's name."""

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import gateway_hook
import wakequeue
import workers

CHECKOUT = Path(__file__).parents[2]


def test_the_names_are_ours_alone() -> None:
    """`gateway_hook`, `workers` and `wakequeue` belong to the distribution `wakequeue`, and to no other that is installed."""
    owners = packages_distributions()
    assert {name: set(owners[name]) for name in ("gateway_hook", "workers", "wakequeue")} == {
        "gateway_hook": {"wakequeue"},
        "workers": {"wakequeue"},
        "wakequeue": {"wakequeue"},
    }


def test_the_wheel_is_what_is_tested() -> None:
    """The modules under test, and those of the processes that tests start, come from where the wheel is installed."""
    for package in (gateway_hook, workers, wakequeue):
        place = Path(package.__file__ or "")
        assert "site-packages" in place.parts
        assert place.parent != CHECKOUT / package.__name__
    asked = "import gateway_hook, workers, wakequeue; print(gateway_hook.__file__, workers.__file__, wakequeue.__file__)"
    shown = subprocess.run([sys.executable, "-P", "-c", asked], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert shown.stdout.count("site-packages") == 3


def test_nothing_else_is_at_the_top() -> None:
    """The wheel installs those three packages and nothing beside them."""
    ours = [name for name, owners in packages_distributions().items() if "wakequeue" in owners]
    assert sorted(ours) == ["gateway_hook", "wakequeue", "workers"]
