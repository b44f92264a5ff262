"""What the doctor finds, by what it saw of a cluster and the settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakequeue.cluster.mirrored import Collection
from wakequeue.cluster.objects import FRONT, WORKER, EndpointSlice, PodAutoscaler, RevisionObject
from wakequeue.cluster.routes import DomainMapping, Route
from wakequeue.doctor import cluster, scaling
from wakequeue.doctor.command import table
from wakequeue.doctor.finding import Finding, well
from wakequeue.doctor.knative import duration, is_false
from wakequeue.doctor.seen import ConfigMap, Denied, LabelledMeta, Labels, Refusal, Scaling, Seen
from wakequeue.setting_sources import load
from wakequeue.settings import Settings

FORBIDDEN = Refusal("forbidden", "403: you may not")
OPEN = {"WAKEQUEUE_HTTP_ADDRESS": "0.0.0.0:8012"}


def settings(**environ: str) -> Settings:
    """The defaults, and what else is set."""
    return load(environ)


def config(release: str = "1.18.1", **data: str) -> ConfigMap:
    """The ConfigMap of a release, with these keys."""
    return ConfigMap(LabelledMeta(Labels(new=release)), {key.replace("_", "-"): text for key, text in data.items()})


def seen(
    *,
    kubernetes: str | Refusal = "v1.33.1",
    serving: tuple[str, ...] | Refusal = ("v1", "v1beta1"),
    denied: dict[Collection, Denied] | None = None,
    autoscaler: ConfigMap | Refusal | None = None,
    revisions: dict[str, Scaling] | Refusal | None = None,
) -> Seen:
    """A cluster in which all is well, but for what is named."""
    access = dict.fromkeys(FRONT + WORKER) | (denied or {})
    well_configured = config(target_burst_capacity="0")
    return Seen(kubernetes, serving, access, autoscaler or well_configured, {} if revisions is None else revisions)


def told(what: Seen | Refusal, **environ: str) -> list[tuple[str, str, str]]:
    """The findings that aren't ok: subject, grade and text."""
    found = cluster.findings(what, settings(**environ))
    assert all(one.remedy for one in found if one.grade != "ok")
    assert not any(one.remedy for one in found if one.grade == "ok")
    return [(one.subject, one.grade, one.text) for one in found if one.grade != "ok"]


def only(what: Seen | Refusal, **environ: str) -> tuple[str, str, str]:
    """The one finding that isn't ok."""
    (one,) = told(what, **environ)
    return one


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("1m30s", 90),
        ("0", 0),
        ("+0", 0),
        ("1h0m.5s", 3600.5),
        ("6.s", 6),
        ("100ms", 0.1),
        ("-5s", -5),
        ("2us3µs4μs1ns", 9.001e-6),
    ],
)
def test_durations_are_gos(text: str, seconds: float) -> None:
    """As time.ParseDuration reads them."""
    assert duration(text) == pytest.approx(seconds, abs=1e-12)


@pytest.mark.parametrize("text", ["", "60", "s", ".s", "1 s", "1m 30s", "--1s", "1S", "1d", "٣s", "60s\n", "1e3s"])
def test_other_texts_are_no_durations(text: str) -> None:
    """Among them numbers without a unit, which Knative refuses."""
    assert duration(text) is None


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_durations_add_up(hours: int, minutes: int, seconds: int) -> None:
    """Whatever units a duration has."""
    assert duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


def test_no_is_said_as_go_reads_it() -> None:
    """As strconv.ParseBool does."""
    assert [text for text in ("false", "False", "FALSE", "f", "F", "0", "true", "1", "fALSE", "no", "") if is_false(text)] == [
        "false",
        "False",
        "FALSE",
        "f",
        "F",
        "0",
    ]


def test_all_is_well() -> None:
    """Each thing that was looked at is said, and nothing is against it."""
    found = cluster.findings(seen(revisions={"shop/cart": Scaling(min_scale="1"), "shop/till": Scaling()}), settings(**OPEN))
    assert [(one.subject, one.grade) for one in found] == [
        ("cluster", "ok"),
        ("knative", "ok"),
        ("access", "ok"),
        ("knative", "ok"),
        ("config-autoscaler", "ok"),
        ("revisions", "ok"),
    ]
    assert [one.text for one in found] == [
        "Kubernetes answers, v1.33.1",
        "serving.knative.dev offers v1, v1beta1",
        "routes, domainmappings, revisions, endpointslices, podautoscalers can be listed and watched",
        "Knative Serving is of release 1.18.1, whose Autoscaler reads protobuf frames, as knative_release has them",
        "stable-window 60s, scale-to-zero-grace-period 30s, scale-to-zero-pod-retention-period 0s",
        "2 in all, of which 1 never sleep: their min-scale is above 0",
    ]
    assert well(found)


@pytest.mark.parametrize("cause", ["network", "timeout", "unauthorized", "malformed", "refused", "defect"])
def test_an_api_that_cannot_be_asked_is_one_error(cause: str) -> None:
    """It names the cause."""
    subject, grade, text = only(Refusal(cause, "so it is"))
    assert (subject, grade) == ("cluster", "error")
    assert f"{cause}: so it is" in text


def test_a_release_of_kubernetes_that_is_not_told_is_no_matter() -> None:
    """Nothing depends on it."""
    assert told(seen(kubernetes=FORBIDDEN)) == []


@pytest.mark.parametrize("verb", ["list", "watch"])
@pytest.mark.parametrize(
    ("collection", "which"),
    [
        (Route, "routes.serving.knative.dev, which a front and a worker must"),
        (DomainMapping, "domainmappings.serving.knative.dev, which a front must"),
        (RevisionObject, "revisions.serving.knative.dev, which a front and a worker must"),
        (PodAutoscaler, "podautoscalers.autoscaling.internal.knative.dev, which a worker must"),
    ],
)
def test_what_is_forbidden_is_an_error(collection: Collection, which: str, verb: str) -> None:
    """It names the verb, the resource, who needs it, and the file that allows it."""
    subject, grade, text = only(seen(denied={collection: Denied(verb, FORBIDDEN)}))
    assert (subject, grade) == ("access", "error")
    assert f"it is forbidden to {verb} {which}" in text
    assert "deploy/kubernetes/rbac.yaml" in text


@pytest.mark.parametrize(
    ("collection", "missing", "install"),
    [
        (DomainMapping, "no domainmappings in serving.knative.dev/v1beta1", "Knative Serving"),
        (EndpointSlice, "no endpointslices in discovery.k8s.io/v1", "Kubernetes"),
    ],
)
def test_a_collection_that_is_not_there_is_an_error(collection: Collection, missing: str, install: str) -> None:
    """It names the version of the API that has it, and whose release is too old."""
    _, grade, text = only(seen(denied={collection: Denied("list", Refusal("not_found", "404: "))}))
    assert grade == "error"
    assert missing in text
    assert text.endswith(f"Install a release of {install} that has them.")


def test_a_collection_that_fails_is_an_error() -> None:
    """It names the cause; those that don't are well."""
    found = cluster.findings(seen(denied={Route: Denied("watch", Refusal("timeout", "too late"))}), settings())
    texts = [one.text for one in found if one.subject == "access"]
    assert texts[0] == "domainmappings, revisions, endpointslices, podautoscalers can be listed and watched"
    assert "it failed to watch routes.serving.knative.dev, which a front and a worker must: timeout: too late" in texts[1]
    assert not well(found)


def test_nothing_may_be_read() -> None:
    """Each collection is an error of its own, and none is said to be well."""
    denied = {one: Denied("list", FORBIDDEN) for one in dict.fromkeys(FRONT + WORKER)}
    found = told(seen(denied=denied, revisions=FORBIDDEN))
    assert [(subject, grade) for subject, grade, _ in found] == [("access", "error")] * 5


@pytest.mark.parametrize(
    ("serving", "grade", "says"),
    [
        (Refusal("not_found", "404: "), "error", "Install Knative Serving"),
        (("v1alpha1", "v1beta1"), "error", "offers v1alpha1, v1beta1, and not v1"),
        ((), "error", "offers nothing, and not v1"),
        (FORBIDDEN, "warning", "forbidden: 403: you may not"),
    ],
)
def test_the_versions_of_knative_serving(serving: tuple[str, ...] | Refusal, grade: str, says: str) -> None:
    """Without v1 nothing can be mirrored."""
    subject, is_, text = only(seen(serving=serving))
    assert (subject, is_) == ("knative", grade)
    assert says in text


@pytest.mark.parametrize(
    ("labels", "ours", "grades"),
    [
        (Labels(new="1.18.1"), "1.23", ["ok"]),
        (Labels(new="1.18.1"), "0.18/json", ["error"]),
        (Labels(new="1.18.1", old="v0.9.0"), "1.18", ["ok"]),
        (Labels(old="v0.15.2"), "1.23", ["error"]),
        (Labels(old="v0.15.2"), "0.9", ["ok"]),
        (Labels(old="v0.18.0"), "0.19/json", ["ok"]),
        (Labels(old="devel"), "0.9", []),
        (Labels(), "0.9", []),
    ],
)
def test_frames_that_the_autoscaler_drops_are_an_error(labels: Labels, ours: str, grades: list[str]) -> None:
    """By the release that the ConfigMap came with, where it says one."""
    what = seen(autoscaler=ConfigMap(LabelledMeta(labels)))
    found = list(scaling.release(what, settings(WAKEQUEUE_KNATIVE_RELEASE=ours)))
    assert [one.grade for one in found] == grades
    assert all("knative_release" in one.text for one in found)


@pytest.mark.parametrize("refusal", [FORBIDDEN, Refusal("not_found", "404: no")])
def test_a_configuration_that_cannot_be_read_is_a_warning(refusal: Refusal) -> None:
    """Neither front nor worker needs it."""
    subject, grade, text = only(seen(autoscaler=refusal))
    assert (subject, grade) == ("config-autoscaler", "warning")
    assert refusal.cause in text
    assert "rbac.yaml" in text


def test_a_cluster_in_which_nothing_sleeps_is_a_warning() -> None:
    """There is nothing to wake."""
    subject, grade, text = only(seen(autoscaler=config(enable_scale_to_zero="false")))
    assert (subject, grade) == ("config-autoscaler", "warning")
    assert "ever sleeps" in text
    assert told(seen(autoscaler=config(enable_scale_to_zero="true"))) == []


def test_a_window_that_is_not_longer_than_idle_after() -> None:
    """A warning; an error where endpoints aren't watched, for then idle_after alone says what sleeps."""
    what = config(stable_window="6s")
    assert told(seen(autoscaler=what)) == []
    assert told(seen(), WAKEQUEUE_IDLE_AFTER="59s") == []
    for environ in ({"WAKEQUEUE_IDLE_AFTER": "6s"}, {"WAKEQUEUE_IDLE_AFTER": "7s"}):
        subject, grade, text = only(seen(autoscaler=what), **environ)
        assert (subject, grade) == ("config-autoscaler", "warning")
        assert "stable-window 6s is not longer than idle_after" in text
    denied: dict[Collection, Denied] = {EndpointSlice: Denied("watch", FORBIDDEN)}
    _, (_, grade, text) = told(seen(autoscaler=what, denied=denied), WAKEQUEUE_IDLE_AFTER="6s")
    assert grade == "error"
    assert "stable-window" in text


def test_the_default_window_counts_where_none_is_set() -> None:
    """It is 60 s, also where there is no data at all."""
    for what in (config(), ConfigMap()):
        _, _, text = only(seen(autoscaler=what), WAKEQUEUE_IDLE_AFTER="1m")
        assert "stable-window 60s is not longer than idle_after (60s)" in text


def test_a_duration_that_is_none_is_a_warning() -> None:
    """Whichever of them it is."""
    found = told(seen(autoscaler=config(stable_window="60", scale_to_zero_grace_period="soon")))
    assert [grade for _, grade, _ in found] == ["warning", "warning"]
    assert "stable-window = '60' is no duration" in found[0][2]
    assert "scale-to-zero-grace-period = 'soon' is no duration" in found[1][2]


@pytest.mark.parametrize(
    ("address", "uses"),
    [
        ("127.0.0.1:8012", False),
        ("127.0.0.2:8012", False),
        ("[::1]:8012", False),
        ("localhost:8012", False),
        ("0.0.0.0:8012", True),
        ("[::]:8012", True),
        ("10.0.0.7:8012", True),
        ("front.example.com:8012", True),
    ],
)
def test_warm_requests_at_the_http_port_are_a_warning_where_it_is_used(address: str, uses: bool) -> None:  # noqa: FBT001  one of two
    """It is used where it doesn't listen on loopback; only with 0 none but cold requests come to the activator's place."""
    environ = {"WAKEQUEUE_HTTP_ADDRESS": address}
    for capacity in ("0", "0.0"):
        assert told(seen(autoscaler=config(target_burst_capacity=capacity)), **environ) == []
    for what, says in (
        (config(), "what it is by default"),
        (config(target_burst_capacity="-1"), "-1"),
        (config(target_burst_capacity="200"), "200"),
    ):
        found = told(seen(autoscaler=what), **environ)
        assert [(subject, grade) for subject, grade, _ in found] == [("config-autoscaler", "warning")] * uses
        assert all(f"target-burst-capacity is {says}, not 0" in text for _, _, text in found)


def test_revisions_are_counted_and_the_first_named() -> None:
    """One finding for all with a short window, and one for all with a burst capacity; other values say nothing."""
    short = {f"shop/cart-{n:05}": Scaling(window="6s") for n in range(10_000)}
    kept = {f"shop/till-{n}": Scaling(target_burst_capacity=text) for n, text in enumerate(["-1", "10"])}
    fine = {
        "a/a": Scaling(window="1m", target_burst_capacity="0"),
        "a/b": Scaling(window="soon", min_scale="many"),
        "a/c": Scaling(),
    }
    what = seen(revisions=dict(reversed(list(short.items()))) | kept | fine)
    windows, capacities = told(what, WAKEQUEUE_IDLE_AFTER="6s", **OPEN)
    assert windows[:2] == capacities[:2] == ("revisions", "warning")
    assert "window of shop/cart-00000, shop/cart-00001, shop/cart-00002 and 9,997 more is not longer" in windows[2]
    assert "target-burst-capacity of shop/till-0, shop/till-1 is not 0" in capacities[2]
    assert told(what) == []
    assert "10,005 in all, of which 0 never sleep" in cluster.findings(what, settings())[-1].text


def test_revisions_that_cannot_all_be_read_are_a_warning() -> None:
    """Where it isn't said already that they may not be listed."""
    gone = Refusal("gone", "410: too old")
    subject, grade, text = only(seen(revisions=gone))
    assert (subject, grade) == ("revisions", "warning")
    assert "gone: 410: too old" in text
    assert [one for one, _, _ in told(seen(revisions=FORBIDDEN, denied={RevisionObject: Denied("list", FORBIDDEN)}))] == ["access"]


def test_whatever_a_finding_quotes_it_is_one_line() -> None:
    """What an API or a name in a cluster says can't write over the terminal, and markup means nothing."""
    finding = Finding.warning("cluster", "a\nb\x1b[2Jc [bold]d.", "Go on")
    assert finding.text == "a b [2Jc [bold]d. Go on."
    assert [str(cell) for cell in table([finding]).columns[2].cells] == [finding.text]
