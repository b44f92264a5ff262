"""Resolve: which Revision a call means, in every form in which gateways name it."""

import re
import time
from collections.abc import Iterable

import pytest
from support.fakes import FakeCluster

from gateway_hook.call import Cluster, Exact, Host, Named, Source
from gateway_hook.resolve import Resolver
from wakequeue.cluster.knowledge import Unknown
from wakequeue.errors import Unresolved
from wakequeue.revision import Revision

HELLO = Revision("shop", "hello-00001")


def resolve(namespace: bytes, service: bytes, patterns: Iterable[re.Pattern[str]] = ()) -> Revision:
    """Return the Revision of a namespace and a service."""
    (revision,) = Resolver(Unknown(), patterns).resolve([Named(namespace, service)])
    return revision


def reason(namespace: bytes, service: bytes, *patterns: str) -> str:
    """Return why a call is not resolved."""
    with pytest.raises(Unresolved) as caught:
        resolve(namespace, service, [re.compile(pattern) for pattern in patterns])
    assert len(caught.value.detail) < 400
    return caught.value.reason


@pytest.mark.parametrize(
    "service",
    [
        "hello-00001",
        "HELLO-00001",
        " hello-00001\n",
        "hello-00001.",
        "hello-00001:80",
        "hello-00001-priv",
        "hello-00001-private",
        "hello-00001-private:8012",
    ],
)
def test_a_bare_name_is_in_the_calls_namespace(service: str) -> None:
    """The service alone is a Revision of the namespace that the call named, whatever its case, port and suffix."""
    assert resolve(b"shop", service.encode()) == HELLO
    assert resolve(b" Shop\n", service.encode()) == HELLO


@pytest.mark.parametrize(
    "host",
    [
        "hello-00001.shop.svc",
        "hello-00001.shop.svc:80",
        "hello-00001.shop.svc.",
        "hello-00001.shop.svc.cluster.local",
        "hello-00001.shop.svc.cluster.local.",
        "hello-00001.shop.svc.cluster.local:8080",
        "hello-00001.shop.svc.cluster.local.:65535",
        "hello-00001.shop.svc.my-company.example",
        "Hello-00001-Private.Shop.Svc.Cluster.Local",
        "hello-00001-priv.shop.svc.cluster.local:80",
    ],
)
@pytest.mark.parametrize("namespace", [b"default", b"istio-system", b"", b"not a namespace"])
def test_a_host_names_its_own_namespace(namespace: bytes, host: str) -> None:
    """The namespace in a Kubernetes host name wins: at the ingress gateway the call's own is often just `default`."""
    assert resolve(namespace, host.encode()) == HELLO


@pytest.mark.parametrize(
    "host",
    ["hello.shop", "example.com", "hello.example.com:443", "hello.shop.svcs", "svc", "10.0.0.1", "a.b.c.svc", "hello.svc.shop"],
)
def test_another_host_is_unknown(host: str) -> None:
    """A host that is no Kubernetes service names no Revision; a word without a dot is no host."""
    if "." in host:
        assert reason(b"shop", host.encode()) == "unknown_host"
    else:
        assert resolve(b"shop", host.encode()) == Revision("shop", host)


def test_only_the_last_private_suffix_is_cut() -> None:
    """A Revision may itself be named `...-priv`: its private service has the suffix once more."""
    assert resolve(b"shop", b"hello-priv-private") == Revision("shop", "hello-priv")
    assert resolve(b"shop", b"hello-private-1") == Revision("shop", "hello-private-1")


@pytest.mark.parametrize("form", ["{}", "{}.shop.svc.cluster.local:80"])
def test_a_digested_name_is_known_as_such(form: str) -> None:
    """A private service whose Revision's name was cut and hashed is refused: guessing would wake another Revision."""
    digested = "a-rather-long-revision-" + "0123456789abcdef" * 2 + "-private"
    assert len(digested) == 63
    assert reason(b"shop", form.format(digested).encode()) == "digested_name"


def test_a_long_name_without_a_digest_is_itself() -> None:
    """A private service of 63 characters whose middle is no digest is that of a Revision of 55."""
    assert resolve(b"shop", b"x" * 55 + b"-private") == Revision("shop", "x" * 55)


@pytest.mark.parametrize(
    ("namespace", "service", "why"),
    [
        (b"shop", b"", "no_service"),
        (b"shop", b" \n", "no_service"),
        (b"", b"", "no_service"),
        (b"\xff", b"hello", "invalid_utf8"),
        (b"shop", b"hel\xfflo", "invalid_utf8"),
        (b"shop", b"hello.shop.svc\xc3", "invalid_utf8"),
        (b"", b"hello", "invalid_name"),
        (b"sh_op", b"hello", "invalid_name"),
        (b"shop", b"hel_lo", "invalid_name"),
        (b"shop", b"-private", "invalid_name"),
        (b"shop", b":80", "invalid_name"),
        (b"shop", b"hello:123456", "invalid_name"),
        (b"shop", b"[::1]:80", "invalid_name"),
        (b"shop", b"x" * 64, "invalid_name"),
        (b"shop", b"x" * 100_000, "invalid_name"),
        (b"shop", b"hello\0", "invalid_name"),
        (b"shop", "h\u00e9llo".encode(), "invalid_name"),
        (b"shop", b"hello.sh_op.svc", "invalid_name"),
    ],
)
def test_what_names_no_revision_says_why(namespace: bytes, service: bytes, why: str) -> None:
    """Every other call is Unresolved, with a reason of the fixed set and a detail of bounded length."""
    assert reason(namespace, service) == why


PATTERN = r"(?P<name>[a-z]+)--(?P<namespace>[a-z]+)\.apps\.example(?::\d+)?"


def test_the_operators_patterns_come_first() -> None:
    """A pattern that matches the whole service decides, before any built-in form; the first such pattern wins."""
    patterns = [re.compile(text) for text in (PATTERN, r"(?P<name>other)\.shop\.svc", r"(?P<name>oth)er\.shop\.svc")]
    assert resolve(b"default", b"Hello--Shop.apps.example:443", patterns) == Revision("shop", "hello")
    assert resolve(b"default", b"other.shop.svc", patterns) == Revision("default", "other")
    assert resolve(b"default", b"hello.shop.svc", patterns) == Revision("shop", "hello")


def test_a_pattern_must_match_the_whole_service() -> None:
    """A pattern that matches a part of the service decides nothing."""
    assert resolve(b"shop", b"hello-00001", [re.compile("(?P<name>hello)")]) == HELLO


def test_a_pattern_without_a_namespace_takes_the_calls() -> None:
    """Where the group `namespace` is absent, or matched nothing, the call's namespace stands."""
    for pattern in (r"(?P<name>[a-z]+)\.x", r"(?:(?P<namespace>[a-z]+)/)?(?P<name>[a-z]+)\.x"):
        assert resolve(b"shop", b"hello.x", [re.compile(pattern)]) == Revision("shop", "hello")


@pytest.mark.parametrize("pattern", [r"(?P<name>y)?x", r"(?P<name>.*)"])
def test_what_a_pattern_names_must_be_a_revision(pattern: str) -> None:
    """A pattern that names nothing, or no DNS label, leaves the call unresolved."""
    assert reason(b"shop", b"x" if "y" in pattern else b"x_y", pattern) == "invalid_name"


# Other sources.

TABLE = {
    "shop.example.com": HELLO,
    "*.example.com": Revision("shop", "any"),
    "*.eu.example.com": Revision("shop", "eu"),
}


def by(*sources: Source, hosts: dict[str, Revision] | None = None, pattern: str | None = None) -> Revision:
    """Return the Revision that the sources name."""
    (revision,) = Resolver(Unknown(), [re.compile(pattern)] if pattern else [], hosts).resolve(sources)
    return revision


def test_an_exact_name_is_taken_as_it_is() -> None:
    """A Revision may itself be named as a private service is; no name says nothing, and a wrong one is no other form."""
    assert by(Exact(b"shop", b"hello-private")) == Revision("shop", "hello-private")
    assert by(Exact(b"shop", b""), Exact(b"shop", b"hello-00001")) == HELLO
    for name in (b"hello-00001.shop.svc", b"x_y", b"shop/hello"):
        with pytest.raises(Unresolved, match="invalid_name"):
            by(Exact(b"shop", name), hosts={"*": HELLO}, pattern=".*(?P<name>hello).*")


@pytest.mark.parametrize(
    "cluster",
    [
        "outbound|80||hello-00001.shop.svc.cluster.local",
        "outbound|8012|v1|hello-00001-private.shop.svc.cluster.local",
        "outbound_.80_._.hello-00001.shop.svc.cluster.local",
        "outbound_.8012_.v1_.hello-00001-private.shop.svc.my.domain",
        "shop/hello-00001",
        "shop/hello-00001/80/da39a3ee5e",
        "shop/hello-00001-private/8012/0a1b2c",
    ],
)
def test_a_cluster_of_a_revision_names_it(cluster: str) -> None:
    """Istio's two forms, Kourier's and Contour's, with or without the suffix of the private service."""
    assert by(Cluster(cluster.encode())) == HELLO


@pytest.mark.parametrize(
    "cluster",
    [
        "",
        "placeholder",
        "httproute/shop/hello/rule/0",
        "inbound|8080||",
        "outbound|443||api.example.com",
        "outbound|80||hello-00001",
        "BlackHoleCluster",
        "shop/hello-00001/http/da39",
        "shop/hello-00001/80/x/y",
        "shop|x/hello",
    ],
)
def test_a_cluster_of_anything_else_says_nothing(cluster: str) -> None:
    """Every route has a cluster, and most are of no Revision: what comes after it in the order decides."""
    with pytest.raises(Unresolved, match="no_service"):
        by(Cluster(cluster.encode()))
    assert by(Cluster(cluster.encode()), Named(b"shop", b"hello-00001")) == HELLO


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        (b"shop/hello_1", "invalid_name"),
        (b"Shop/" + b"x" * 64, "invalid_name"),
        (b"shop/\xff", "invalid_utf8"),
        (b"outbound|80||" + b"a" * 23 + b"0" * 32 + b"-private.shop.svc.cluster.local", "digested_name"),
    ],
)
def test_a_cluster_of_no_possible_revision_is_unresolved(cluster: bytes, why: str) -> None:
    """What has the form of a Revision's cluster decides, and says why it names none."""
    with pytest.raises(Unresolved, match=why):
        by(Cluster(cluster), Named(b"shop", b"hello-00001"))


def test_a_pattern_reads_clusters_too() -> None:
    """An operator with clusters of another form says how to read them."""
    assert by(Cluster(b"knative__shop__hello-00001"), pattern="knative__(?P<namespace>[^_]+)__(?P<name>[^_]+)") == HELLO


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("shop.example.com", "hello-00001"),
        ("Shop.Example.Com:8443", "hello-00001"),
        ("shop.example.com.", "hello-00001"),
        ("a.example.com", "any"),
        ("a.b.example.com", "any"),
        ("a.eu.example.com", "eu"),
        ("eu.example.com", "any"),
    ],
)
def test_a_host_is_looked_up_in_the_table(host: str, name: str) -> None:
    """The exact host comes first, then the longest wildcard; case and port don't count."""
    assert by(Host(host.encode()), hosts=TABLE) == Revision("shop", name)
    assert by(Named(b"", host.encode()), hosts=TABLE) == Revision("shop", name)


@pytest.mark.parametrize("host", ["", "example.com", "example.org", "shop.example.com.evil.org", "xexample.com"])
def test_a_host_that_the_table_does_not_have_names_nothing(host: str) -> None:
    """A wildcard stands for at least one label; the reason has the host, so that the table can be mended."""
    with pytest.raises(Unresolved) as caught:
        by(Host(host.encode()), hosts=TABLE)
    assert (caught.value.reason, caught.value.detail) == (("unknown_host", host) if host else ("no_service", ""))


def test_no_host_takes_long() -> None:
    """A client may send any length: what can't be a host is not looked up."""
    resolver, began = Resolver(Unknown(), hosts={"*": HELLO}), time.thread_time()
    assert not resolver.knows(b"a." * 100_000)
    assert not resolver.knows(b"\xff")
    assert resolver.knows(b"a." * 120)
    assert time.thread_time() - began < 1


def test_a_star_is_for_every_host() -> None:
    """The shortest wildcard covers what no other does."""
    assert by(Host(b"anything"), hosts={"*": HELLO}) == HELLO


def test_the_first_source_that_names_a_revision_decides() -> None:
    """A source that says nothing is passed over; one that says something wrong is not."""
    other = Named(b"shop", b"other")
    assert by(Named(b"shop", b""), Cluster(b"placeholder"), Named(b"shop", b"hello-00001"), other) == HELLO
    with pytest.raises(Unresolved, match="invalid_name"):
        by(Named(b"shop", b"x_y"), other)


# What a cluster knows.

SECOND, OTHER = Revision("shop", "hello-00002"), Revision("shop", "other-00001")


def known(*revisions: Revision, hosts: dict[str, list[Revision]] | None = None) -> FakeCluster:
    """Return a cluster of these Revisions, all asleep, and of these hosts."""
    cluster = FakeCluster(hosts=hosts)
    for revision in revisions:
        cluster.is_at_zero(revision)
    return cluster


SPLIT = {
    "hello.example.com": [SECOND, HELLO],
    "tag-hello.example.com": [HELLO],
    "hello.shop": [SECOND],
    "gone.example.com": [OTHER],
}
CLUSTER = known(HELLO, SECOND, hosts=SPLIT)


@pytest.mark.parametrize("host", [b"hello.example.com", b"Hello.Example.Com:8443", b"hello.example.com."])
def test_a_host_means_all_that_share_its_traffic(host: bytes) -> None:
    """The largest share first; case, port and a last dot don't count; a service may be such a host."""
    for source in (Host(host), Named(b"shop", host)):
        assert list(Resolver(CLUSTER).resolve([source])) == [SECOND, HELLO]
        assert list(Resolver(CLUSTER, largest=True).resolve([source])) == [SECOND]


def test_the_host_of_a_tag_means_its_revision() -> None:
    """A tag's host is one as any other."""
    assert list(Resolver(CLUSTER).resolve([Host(b"tag-hello.example.com")])) == [HELLO]


def test_the_operators_table_comes_first() -> None:
    """Also where a wildcard covers the host."""
    for host in ("hello.example.com", "*.example.com", "*"):
        assert list(Resolver(CLUSTER, hosts={host: HELLO}).resolve([Host(b"hello.example.com")])) == [HELLO]
    assert list(Resolver(CLUSTER, hosts={"x.example.com": HELLO}).resolve([Host(b"hello.example.com")])) == [SECOND, HELLO]


def test_hosts_are_known_by_table_or_cluster() -> None:
    """Without a word on whether their Revisions exist."""
    resolver = Resolver(CLUSTER, hosts={"*.mine.example": HELLO})
    hosts = [b"Hello.Example.Com:80", b"a.mine.example", b"gone.example.com", b"example.com", b""]
    assert [resolver.knows(host) for host in hosts] == [True, True, True, False, False]


@pytest.mark.parametrize(
    "source",
    [
        Named(b"shop", b"hello"),
        Named(b"", b"hello.shop.svc"),
        Named(b"", b"hello.shop.svc.cluster.local:80"),
        Named(b"", b"hello.shop.svc.my.domain."),
        Named(b"", b"hello.shop"),
        Cluster(b"outbound|80||hello.shop.svc.cluster.local"),
        Cluster(b"shop/hello"),
        Host(b"hello.shop"),
    ],
)
def test_a_name_of_no_revision_may_be_a_routes(source: Source) -> None:
    """As its cluster-local host is written, or as `name.namespace`, whatever the cluster's domain."""
    assert list(Resolver(CLUSTER).resolve([source])) == [SECOND]


def test_the_host_as_it_is_written_comes_before_the_short_one() -> None:
    """It is what the Route itself says."""
    cluster = known(HELLO, SECOND, hosts={"hello.shop": [SECOND], "hello.shop.svc.cluster.local": [HELLO]})
    assert list(Resolver(cluster).resolve([Named(b"", b"hello.shop.svc.cluster.local:80")])) == [HELLO]


def test_a_revision_that_exists_is_itself() -> None:
    """Even where a Route has the same name. Where that isn't known, the Route is meant, and without one the Revision."""
    cluster = known(Revision("shop", "hello"), SECOND, hosts=SPLIT)
    assert list(Resolver(cluster).resolve([Named(b"shop", b"hello")])) == [Revision("shop", "hello")]
    cluster.away = True
    assert SECOND in Resolver(cluster).resolve([Named(b"shop", b"hello")])
    assert list(Resolver(cluster).resolve([Named(b"shop", b"nothing")])) == [Revision("shop", "nothing")]


@pytest.mark.parametrize(
    "source",
    [
        Exact(b"shop", b"hello"),
        Named(b"shop", b"nothing"),
        Named(b"shop", b"by-pattern"),
        Cluster(b"shop/nothing-00001"),
        Host(b"gone.example.com"),
        Host(b"by-table.example.com"),
    ],
)
def test_a_revision_that_does_not_exist_is_unknown(source: Source) -> None:
    """Whoever named it, and whatever comes after it: nothing is woken; where it isn't known, it is let through."""
    cluster = known(HELLO, SECOND, hosts=SPLIT)
    resolver = Resolver(cluster, [re.compile("(?P<name>by-pattern)")], {"by-table.example.com": OTHER})
    with pytest.raises(Unresolved, match="unknown_revision"):
        resolver.resolve([source, Exact(b"shop", b"hello-00001")])
    cluster.away = True
    assert len(resolver.resolve([source])) == 1


def test_those_that_are_gone_are_left_out_of_a_split() -> None:
    """The largest is the largest of those that are there."""
    cluster = known(HELLO, SECOND, hosts={"hello.example.com": [OTHER, SECOND, HELLO]})
    assert list(Resolver(cluster).resolve([Host(b"hello.example.com")])) == [SECOND, HELLO]
    assert list(Resolver(cluster, largest=True).resolve([Host(b"hello.example.com")])) == [SECOND]
