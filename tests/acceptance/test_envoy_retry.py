"""Clients are held by the answer of ext_authz, where the routes have no policy for it."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from support.bootstrap import all_of, patient, without_policies
from support.entrance import HELLO, Entrance
from support.envoy import needs_envoy

pytestmark = needs_envoy


def test_an_answer_holds_clients(tmp_path: Path) -> None:
    """With `envoy_retry_headers`, requests on a route with a timeout of 1 s and no retry policy wait for 2 s, and are answered."""
    with ExitStack() as stack:
        # Without the front's answer nobody is held.
        change = all_of(without_policies, patient)
        entrance = Entrance(stack, tmp_path, "ext-authz.yaml", change, WAKEQUEUE_ENVOY_RETRY_HEADERS="true")
        coming = entrance.envoy.up_after(2, HELLO[1])
        answers = entrance.hello.crowd(50)
        assert {answer.status for answer in answers} == {200}
        assert min(answer.at for answer in answers) >= coming.at()
        entrance.wait_reported(HELLO[2], 50, Counter())
