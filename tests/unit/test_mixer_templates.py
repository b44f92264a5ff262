"""All of Mixer's templates, byte by byte: what each is understood as, what it is counted as, and what it is answered."""

import asyncio
from typing import TYPE_CHECKING, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import FakeContext, FakeRecorder
from support.mixer import field, read_answer, varint
from support.templates import (
    CHECKS,
    METHODS,
    NAME,
    REPORTS,
    any_of,
    asked,
    entry,
    grants,
    message,
    naming,
    params,
    said,
)

from gateway_hook.call import ReportStyle
from gateway_hook.hook import Hook
from gateway_hook.mixer.adapter import Mixer
from gateway_hook.mixer.templates import TEMPLATES
from gateway_hook.outcome import Outcome
from wakequeue.cluster.knowledge import Unknown
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.telemetry import CALLS, FRONT, IGNORED, UNRESOLVED
from wakequeue.traces import UNTRACED, Span

if TYPE_CHECKING:
    from gateway_hook.mixer.adapter import Context
    from gateway_hook.recorder import Recorder

HELLO: Final = Revision("default", "hello-00001")
BAD_TEXT: Final = b"/caf\xe9/\xff\xfe\xc0\x80"
WITH_A_MAP: Final = ("quota", "metric", "logentry", "authorization")


def answer(template: str, data: bytes, recorder: FakeRecorder, **settings: str) -> bytes:
    """Return the answer's bytes to one request."""
    loaded = load({f"WAKEQUEUE_{name.upper()}": text for name, text in settings.items()})
    mixer = Mixer(Hook(cast("Recorder", recorder), loaded, Unknown()), loaded)
    return asyncio.run(mixer.answer(TEMPLATES[template], data, cast("Context", FakeContext())))


def understood(template: str, data: bytes, **settings: str) -> list[str]:
    """Return whose calls were recorded for one request; the user is let through, and nothing may be used again."""
    recorder = FakeRecorder()
    lets_through(template, answer(template, data, recorder, **settings))
    return [str(revision) for revision in recorder.revisions]


def lets_through(template: str, data: bytes) -> None:
    """Fail unless an answer passes the request, and is of no use for another."""
    if template in CHECKS:
        assert (read_answer(data).code, read_answer(data).uses) == (0, 0)
        assert read_answer(data).valid_seconds > 0
    elif template in REPORTS:
        assert data == b""
    else:
        assert all(amount > 0 and 0 < seconds < 0.01 for amount, seconds in grants(data).values())


def request(template: str, namespace: bytes = b"default", service: bytes = b"hello-00001") -> bytes:
    """Write a request that names a Revision as its template can."""
    instance, config = naming(template, namespace, service)
    return message([instance], config)


@pytest.fixture(autouse=True)
def _from_zero() -> None:
    """Have each test count from zero."""
    CALLS.clear()
    UNRESOLVED.clear()
    IGNORED.clear()


def counted(template: str, outcome: str) -> float:
    """Return how many calls of a template came to this."""
    return FRONT.get_sample_value("wakequeue_calls_total", {"protocol": f"mixer_{template}", "outcome": outcome}) or 0.0


def unresolved(reason: str) -> float:
    """Return how many calls were counted with this reason."""
    return FRONT.get_sample_value("wakequeue_unresolved_total", {"reason": reason}) or 0.0


# The call.


def test_these_are_all_templates() -> None:
    """Each template is served at Mixer's own method."""
    assert {name: f"/{one.service}/{one.method}" for name, one in TEMPLATES.items()} == METHODS


@pytest.mark.parametrize("template", METHODS)
def test_every_template_can_name_a_revision(template: str) -> None:
    """A request that names a Revision is one call of it, counted under its template."""
    assert understood(template, request(template)) == ["default/hello-00001"]
    assert counted(template, "recorded") == 1


@pytest.mark.parametrize("template", METHODS)
@pytest.mark.parametrize("reason", ["empty", "an empty instance", "garbage", "half"])
def test_a_request_that_says_nothing_lets_the_user_through(template: str, reason: str) -> None:
    """What names no Revision, or can't be read, is answered as if it did; and is counted, unless it has no instance at all."""
    data = {"empty": b"", "an empty instance": field(1, b""), "garbage": b"\xff", "half": request(template)[:-1]}[reason]
    assert understood(template, data) == []
    calls = 0 if reason == "empty" and template in REPORTS else 1
    assert counted(template, "unresolved") == calls
    assert unresolved("malformed" if reason in {"garbage", "half"} else "no_service") == calls


@given(st.sampled_from(sorted(METHODS)), st.data())
def test_any_bytes_are_answered(template: str, data: st.DataObject) -> None:
    """Whatever arrives, the answer lets the user through and is of no use for another request."""
    whole = request(template)
    cut = st.tuples(st.integers(0, len(whole)), st.binary(max_size=5)).map(lambda at: whole[: at[0]] + at[1])
    lets_through(template, answer(template, data.draw(st.binary(max_size=200) | cut), FakeRecorder()))


@pytest.mark.parametrize("template", METHODS)
def test_our_own_defect_lets_the_user_through(template: str) -> None:
    """An error inside is counted, and answered OK."""
    lets_through(template, answer(template, request(template), FakeRecorder(RuntimeError("a defect"))))
    assert counted(template, "failed") == 1


def over_long(payload: bytes) -> bytes:
    """Write a payload behind a length of two bytes, as Mixer does, which reserves them before it knows it."""
    return bytes((len(payload) & 0x7F | 0x80, len(payload) >> 7)) + payload


@pytest.mark.parametrize("template", METHODS)
def test_over_long_lengths_and_empty_texts_are_read(template: str) -> None:
    """Lengths are padded, and attributes without a value are empty texts: an instance is none the worse for it."""
    instance, config = naming(template, b"default", b"hello-00001")
    empty = {"authorization": (), "apikey": (2, 3, 4), "metric": (3,), "logentry": (3, 4)}.get(template, ())
    instance += b"".join(field(number, b"") for number in empty)
    data = b"\x0a" + over_long(instance) + b"\x12" + over_long(config) + b"\x1a" + over_long(b"")
    assert understood(template, data) == ["default/hello-00001"]


@pytest.mark.parametrize("template", WITH_A_MAP)
def test_entries_with_over_long_lengths_are_read(template: str) -> None:
    """So are those of an entry of a map, its value and the text in it, and keys and values may come in any order."""

    def padded(number: int, payload: bytes) -> bytes:
        return varint(number << 3 | 2) + over_long(payload)

    def one(key: bytes, text: bytes) -> bytes:
        return padded(2, padded(1, text)) + padded(1, key)

    entries = [one(b"destination_service_namespace", b"default"), one(b"destination_service_name", b"hello-00001"), one(b"", b"")]
    number = {"authorization": 5, "metric": 2}.get(template, 1)
    body = b"".join(padded(number, each) for each in entries)
    data = padded(1, padded(2, body) if template == "authorization" else body)
    assert understood(template, data) == ["default/hello-00001"]


@pytest.mark.parametrize("template", WITH_A_MAP)
def test_invalid_utf8_where_nothing_is_decided_costs_nothing(template: str) -> None:
    """Names and values that are no text are read over; a Revision in one is counted as what it is."""
    texts = {BAD_TEXT: BAD_TEXT, b"path": BAD_TEXT, b"service": b"hello-00001", b"namespace": b"default"}
    assert understood(template, message([said(template, texts, BAD_TEXT)])) == ["default/hello-00001"]
    assert understood(template, message([said(template, texts | {b"service": BAD_TEXT})])) == []
    assert unresolved("invalid_utf8") == 1


# Where a template has no field for it.


@pytest.mark.parametrize("template", WITH_A_MAP)
@pytest.mark.parametrize(
    "texts",
    [
        {b"namespace": b"default", b"service": b"hello-00001"},
        {b"namespace": b"default", b"revision": b"hello-00001"},
        {b"destination_service_host": b"hello-00001.default.svc.cluster.local"},
        {b"destination.service": b"hello-00001.default.svc.cluster.local:80"},
        {b"destinationServiceName": b"hello-00001", b"destinationServiceNamespace": b"default"},
        {b"destination-service-name": b"hello-00001-private", b"destination_namespace": b"default"},
        # At a gateway, the namespace of the destination is that of nothing.
        {b"service": b"hello-00001", b"destination_namespace": b"istio-system", b"destination_service_namespace": b"default"},
        {b"service": b"", b"revision": b" ", b"destination_service_name": b"hello-00001", b"namespace": b"default"},
        {b"service": b"unknown", b"destination_service_name": b"hello-00001", b"namespace": b"default"},
    ],
)
def test_the_revision_is_found_by_name(template: str, texts: dict[bytes, bytes]) -> None:
    """It is what the first of the usual names says; Istio's own instances say `unknown` where they don't know."""
    assert understood(template, message([said(template, texts)])) == ["default/hello-00001"]


@pytest.mark.parametrize("template", WITH_A_MAP)
def test_the_names_are_settings(template: str) -> None:
    """`mixer_service_names` and `mixer_namespace_names` say which they are, the first choice first."""
    instance = said(template, {b"app": b"one", b"App.2": b"two", b"team": b"shop", b"service": b"three", b"namespace": b"demo"})
    names = {"mixer_service_names": '["app-2", "app"]', "mixer_namespace_names": "TEAM"}
    assert understood(template, message([instance]), **names) == ["shop/two"]
    assert understood(template, message([instance]), mixer_service_names="other") == []
    assert unresolved("no_service") == 1


@pytest.mark.parametrize("template", WITH_A_MAP)
def test_the_table_of_hosts_is_asked_last(template: str) -> None:
    """A call that nothing better names is that of the Revision that `revisions_by_host` has for its host."""
    table = {"revisions_by_host": '{"shop.example": "shop/cart"}'}
    assert understood(template, message([said(template, {b"request.host": b"shop.example:443"})]), **table) == ["shop/cart"]
    texts = {b"host": b"shop.example", b"service": b"hello-00001", b"namespace": b"default"}
    assert understood(template, message([said(template, texts)]), **table) == ["default/hello-00001"]
    assert understood(template, message([said(template, {b"host": b"other.example"})]), **table) == []
    assert unresolved("unknown_host") == 1


def test_the_fields_of_a_template_come_first() -> None:
    """What an authorization says of its namespace and service holds, whatever its properties are called."""
    entries = entry(5, b"service", field(1, b"other")) + entry(5, b"destination_service_namespace", field(1, b"shop"))
    action = field(1, b"default") + field(2, b"hello-00001") + entries
    assert understood("authorization", message([field(2, action)])) == ["default/hello-00001"]
    assert understood("authorization", message([field(2, field(2, b"hello-00001") + entries)])) == ["shop/hello-00001"]


def test_a_monitored_resource_says_it_too() -> None:
    """Where a metric's dimensions say nothing, those of its monitored resource may."""
    resource = [(b"namespace", b"default"), (b"service", b"hello-00001")]
    more = b"".join(entry(4, key, field(1, text)) for key, text in resource)
    assert understood("metric", message([said("metric", {}) + more])) == ["default/hello-00001"]
    assert understood("metric", message([said("metric", {b"service": b"cart"}) + more])) == ["default/cart"]
    more = b"".join(entry(5, key, field(1, text)) for key, text in resource)
    assert understood("logentry", message([said("logentry", {}) + more])) == ["default/hello-00001"]


def test_a_list_entry_may_be_of_another_type() -> None:
    """An entry that is a DNS name (arm 9) names a service; one that is an IP address (arm 5) is no service of the cluster's."""
    host = field(9, field(1, b"hello-00001.default.svc.cluster.local"))
    assert understood("listentry", message([field(1, host)])) == ["default/hello-00001"]
    assert understood("listentry", message([field(1, field(5, field(1, b"\x0a\0\0\x01")))])) == []
    assert unresolved("unknown_host") == 1


@pytest.mark.parametrize("template", WITH_A_MAP)
@pytest.mark.parametrize(
    ("name", "text", "settings"),
    [
        (b"request_useragent", b"kube-probe/1.29", {}),
        (b"userAgent", b"Knative-Ingress-Probe", {}),
        (b"k_network_probe", b"probe", {}),
        (b"K-Kubelet-Probe", b"\xff", {}),
        (b"request.method", b"OPTIONS", {"methods": "GET"}),
        (b"request_path", b"/health?x", {"denied_paths": "/health"}),
        (b"url", b"/health", {"denied_paths": "/health"}),
        (b"request_host", b"shop.example:443", {"denied_hosts": "shop.example"}),
        (b"user-agent", b"some Bot", {"denied_user_agents": "*bot*"}),
    ],
)
def test_rules_look_at_what_an_instance_says(template: str, name: bytes, text: bytes, settings: dict[str, str]) -> None:
    """Method, path, host and user agent are read under the usual names, and so is a probe's header."""
    texts = {b"namespace": b"default", b"service": b"hello-00001"}
    assert understood(template, message([said(template, texts | {name: text})]), **settings) == []
    assert counted(template, "ignored") == 1
    assert understood(template, message([said(template, texts)]), **settings) == ["default/hello-00001"]


# A batch.


@pytest.mark.parametrize("template", ["metric", "logentry"])
def test_each_instance_of_a_batch_is_a_call(template: str) -> None:
    """Instances are calls of their own: those that name a Revision are recorded, whatever else is among them."""
    names = [b"a", b"b", b"", b"a", BAD_TEXT]
    batch = [said(template, {b"namespace": b"default", b"service": name}) for name in names]
    assert sorted(understood(template, message(batch))) == ["default/a", "default/a", "default/b"]
    assert (counted(template, "recorded"), counted(template, "unresolved")) == (3, 2)


@pytest.mark.parametrize("template", REPORTS)
def test_a_batch_waits_together(template: str) -> None:
    """The calls of a batch are in one commit: it takes no longer than one of them."""

    class Together(FakeRecorder):
        async def record(
            self, revision: Revision, caller: str, budget: float, *, style: ReportStyle = "", span: Span = UNTRACED
        ) -> Outcome:
            async with asyncio.timeout(5):
                await together.wait()
            return await super().record(revision, caller, budget, style=style, span=span)

    together = asyncio.Barrier(3)
    instance, config = naming(template, b"default", b"a")
    assert answer(template, message([instance] * 3, config), Together()) == b""
    assert counted(template, "recorded") == 3


# The answer.


@pytest.mark.parametrize("template", CHECKS)
def test_only_an_awake_check_may_be_used_again(template: str) -> None:
    """For `awake_cache`, as it is for authorization."""
    read = read_answer(answer(template, request(template), FakeRecorder(Outcome.AWAKE), awake_cache="1500ms"))
    assert (read.code, read.valid_seconds, read.uses) == (0, 1.5, 1_000_000)


@pytest.mark.parametrize("outcome", Outcome)
def test_a_quota_is_granted_in_full(outcome: Outcome) -> None:
    """By the instance's name, all that is asked, whatever became of the call; it lasts only while the Revision is awake."""
    data = message([naming("quota", b"default", b"a")[0]], rest=asked({NAME: 7}))
    ((name, (amount, seconds)),) = grants(answer("quota", data, FakeRecorder(outcome))).items()
    assert (name, amount) == (NAME, 7)
    assert seconds == (2 if outcome in {Outcome.AWAKE, Outcome.PASSED} else 0.001)


@pytest.mark.parametrize(
    ("amounts", "granted"),
    [
        ({NAME: 7, b"other": 2}, {NAME: 7, b"other": 2}),
        ({b"one": 3, b"two": 4}, {b"one": 3, b"two": 4, NAME: 7}),
        ({}, {NAME: 1}),
        ({NAME: 0}, {NAME: 1}),
        ({b"one": (1 << 63) - 1, b"two": 4}, {b"one": (1 << 63) - 1, b"two": 4, NAME: (1 << 63) - 1}),
        ({NAME: (1 << 64) - 1}, {NAME: 1}),
    ],
)
def test_the_instances_own_quota_is_always_granted(amounts: dict[bytes, int], granted: dict[bytes, int]) -> None:
    """Mixer fails a request whose quota is missing from the answer, and a proxy one that is granted nothing."""
    data = message([naming("quota", b"default", b"a")[0]], rest=asked(amounts))
    answered = grants(answer("quota", data, FakeRecorder()))
    assert {name: amount for name, (amount, _) in answered.items()} == granted


# The handler's Params.


@pytest.mark.parametrize("template", METHODS)
def test_params_come_before_all_else(template: str) -> None:
    """A handler's namespace and service hold for every template, whatever the instance says."""
    instance, _ = naming(template, b"other", b"other")
    assert understood(template, message([instance], any_of(params(b"default", b"hello-00001")))) == ["default/hello-00001"]


@pytest.mark.parametrize("template", WITH_A_MAP)
def test_params_may_name_what_an_instance_says(template: str) -> None:
    """`{name}` is what it says under that name; one that it doesn't say means no Revision, for a reason of its own."""
    config = any_of(params(b"team-{team}", b"{App.Name}-0000{n}"))
    texts = {b"team": b"a", b"app_name": b"cart", b"n": b"1"}
    assert understood(template, message([said(template, texts)], config)) == ["team-a/cart-00001"]
    assert understood(template, message([said(template, texts | {b"n": b""})], config)) == []
    assert unresolved("missing_name") == 1


@pytest.mark.parametrize("template", METHODS)
def test_an_instance_may_be_called_as_its_revision(template: str) -> None:
    """What an instance is called can be used as well: without any field, an instance is still `NAME.instance.NAMESPACE`."""
    config = any_of(params(b"{instance_namespace}", b"{instance}"))
    assert understood(template, message([field(72295727, b"cart-00001.instance.shop")], config)) == ["shop/cart-00001"]
    assert understood(template, message([field(72295727, b"cart-00001")], config)) == []
    assert unresolved("missing_name") == 1


@pytest.mark.parametrize("template", METHODS)
@pytest.mark.parametrize(("style", "expected"), [(0, ""), (1, "activator"), (2, "original"), (9, "")])
def test_params_say_the_style_of_the_reports(template: str, style: int, expected: str) -> None:
    """The call carries its handler's `report_style`; none is that of the settings."""
    recorder = FakeRecorder()
    answer(template, message([naming(template, b"a", b"a")[0]], any_of(params(b"a", b"a", style=style))), recorder)
    assert [one.style for one in recorder.told] == [expected]


@pytest.mark.parametrize("template", [*CHECKS, "quota"])
@pytest.mark.parametrize(
    ("cache", "seconds"),
    [
        (b"\x08\x03", 3),
        (b"\x08\x01\x10\x80\xca\xb5\xee\x01", 1.5),
        (b"", 0),
        # Five seconds are `idle_after`; the rest is more, or less than none.
        (b"\x08\x05", 2),
        (b"\x08\xff\xff\xff\xff\x07", 2),
        (b"\x08" + b"\xff" * 9 + b"\x01", 2),
    ],
)
def test_params_say_how_long_an_awake_answer_lasts(template: str, cache: bytes, seconds: float) -> None:
    """`awake_cache` is the handler's: zero for never, and the settings' where a Revision could be asleep by then."""
    config = any_of(params(b"a", b"a", awake_cache=cache))
    data = answer(template, message([naming(template, b"a", b"a")[0]], config), FakeRecorder(Outcome.AWAKE))
    if template == "quota":
        assert [each[1] for each in grants(data).values()] == [seconds or 0.001]
    else:
        read = read_answer(data)
        assert (read.valid_seconds, read.uses) == ((seconds, 1_000_000) if seconds else (1, 0))


@pytest.mark.parametrize("template", METHODS)
@pytest.mark.parametrize("bad", [b"\xff", params(b"{", b"a"), params(b"a", b"{}"), params(b"\xff", b"a")])
def test_params_that_cannot_be_used_wake_nothing(template: str, bad: bytes) -> None:
    """Their calls name no Revision, for a reason of its own: what was meant is not guessed."""
    assert understood(template, message([naming(template, b"a", b"a")[0]], any_of(bad))) == []
    assert unresolved("bad_params") == 1
