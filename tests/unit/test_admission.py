"""Admission: who is let in, by certificate and by token, and what they are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_hook.admission import Refusal, name_of, refused_client, refused_token, tokens_shown

MIXER = "spiffe://cluster.local/ns/istio-system/sa/istio-mixer-service-account"


# Clients.


@pytest.mark.parametrize(
    "pattern",
    [
        MIXER,
        "spiffe://cluster.local/ns/istio-system/sa/*",
        "spiffe://*/ns/istio-*/sa/istio-mixer-service-account",
        "spiffe://cluster.local/ns/istio-s?stem/sa/[a-z]*",
    ],
)
def test_a_client_that_matches_is_let_in(pattern: str) -> None:
    """One URI of the certificate that matches one of the patterns is enough, wherever it stands among others."""
    assert refused_client([MIXER], [pattern]) is None
    assert refused_client(["https://example.com", MIXER], ["spiffe://other/*", pattern]) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "spiffe://cluster.local/ns/istio-system/sa/mixer",
        "spiffe://cluster.local/ns/default/sa/*",
        "spiffe://cluster.local/*",
        "spiffe://*",
        "spiffe://cluster.local/ns/*/sa",
        "spiffe://cluster.local/ns/*/sa/*/*",
        "spiffe://Cluster.local/ns/istio-system/sa/*",
        "SPIFFE://cluster.local/ns/istio-system/sa/*",
        "*",
    ],
)
def test_a_client_that_does_not_match_is_refused(pattern: str) -> None:
    """A pattern matches the whole URI and its case; `*` stops at a slash, so that no deeper path slips through."""
    assert refused_client([MIXER], [pattern]) is Refusal.CLIENT_NOT_ALLOWED


@pytest.mark.parametrize("uris", [[], [""], ["localhost"], ["spiffe:cluster.local/ns/istio-system/sa/x"], [f"x{MIXER}"]])
def test_a_client_without_such_a_uri_is_refused(uris: list[str]) -> None:
    """A certificate without URIs, or with others, matches nothing."""
    assert refused_client(uris, ["spiffe://cluster.local/ns/istio-system/sa/*"]) is Refusal.CLIENT_NOT_ALLOWED


def test_without_patterns_every_client_is_let_in() -> None:
    """Then it is the authority alone that decides."""
    assert refused_client([], []) is None
    assert refused_client([MIXER], []) is None


# Tokens.


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Bearer hunter2", [b"hunter2"]),
        ("bearer hunter2", [b"hunter2"]),
        ("BEARER  hunter2 ", [b"hunter2"]),
        (" Bearer hunter2\n", [b"hunter2"]),
        ("Bearer hunter2\r\n", [b"hunter2"]),
        ("Bearer", [b""]),
        ("Bearer ", [b""]),
        ("Bearer two words", [b"two words"]),
        ("Bearer h\u00fcnter2", ["h\u00fcnter2".encode()]),
        (b"Bearer \xff\x00", [b"\xff\x00"]),
        ("Bearer \udcff", [b"?"]),
        ("hunter2", []),
        ("Basic hunter2", []),
        ("Bearerhunter2", []),
        ("", []),
        (b"\xff", []),
    ],
)
def test_authorization_carries_a_bearer_token(value: str | bytes, shown: list[bytes]) -> None:
    """The scheme's case and the white space around the token mean nothing; another scheme carries none; nothing raises."""
    assert tokens_shown([("user-agent", "x"), ("authorization", value)], "authorization") == shown


@pytest.mark.parametrize(
    ("value", "shown"), [("hunter2\n", b"hunter2"), ("Bearer x", b"Bearer x"), (b" \xff ", b"\xff"), ("", b"")]
)
def test_another_header_carries_the_token_alone(value: str | bytes, shown: bytes) -> None:
    """There is no scheme before it."""
    assert tokens_shown([("authorization", "Bearer other"), ("x-token", value)], "x-token") == [shown]


def test_a_header_may_come_twice() -> None:
    """Each is a token that the caller shows."""
    metadata = [("authorization", "Bearer one"), ("authorization", "Basic x"), ("authorization", "Bearer two")]
    assert tokens_shown(metadata, "authorization") == [b"one", b"two"]
    assert tokens_shown([], "authorization") == []


@pytest.mark.parametrize(
    ("shown", "refusal"),
    [
        ([b"hunter2"], None),
        ([b"hunter3"], None),
        ([b"wrong", b"hunter2"], None),
        ([], Refusal.NO_TOKEN),
        ([b""], Refusal.WRONG_TOKEN),
        ([b"hunter"], Refusal.WRONG_TOKEN),
        ([b"hunter22"], Refusal.WRONG_TOKEN),
        ([b"Hunter2"], Refusal.WRONG_TOKEN),
        ([b"hunter2 hunter3"], Refusal.WRONG_TOKEN),
        ([b"\xff\x00", "h\u00fcnter2".encode()], Refusal.WRONG_TOKEN),
    ],
)
def test_a_token_must_be_one_of_those_expected(shown: list[bytes], refusal: Refusal | None) -> None:
    """Any one that is expected will do; any other, and none, will not."""
    assert refused_token(shown, [b"hunter2", b"hunter3"]) is refusal


def test_without_an_expected_token_none_is_asked_for() -> None:
    """Whatever a caller shows then is not looked at."""
    assert refused_token([], []) is None
    assert refused_token([b"x"], []) is None


@given(st.lists(st.tuples(st.sampled_from(["authorization", "x"]), st.text() | st.binary())))
def test_nothing_that_a_caller_sends_opens_the_door_or_breaks_it(metadata: list[tuple[str, str | bytes]]) -> None:
    """Any metadata without the token are refused, in either header."""
    for header in ("authorization", "x"):
        assert refused_token(tokens_shown(metadata, header), [b"hunter2-of-the-test"]) is not None


# Names.


@pytest.mark.parametrize(
    ("uris", "peer", "name"),
    [
        ([MIXER], "ipv4:10.0.0.7:5000", MIXER),
        (["https://example.com/x", MIXER, "spiffe://other"], "ipv4:10.0.0.7:5000", MIXER),
        (["https://example.com/x", "urn:y"], "ipv4:10.0.0.7:5000", "https://example.com/x"),
        ([""], "ipv4:10.0.0.7:5000", "10.0.0.7"),
        ([], "ipv4:10.0.0.7:5000", "10.0.0.7"),
        ([], "ipv6:%5B::1%5D:5000", "::1"),
        ([], "ipv6:[2001:db8::1]:5000", "2001:db8::1"),
        ([], "ipv6:%5Bfe80::1%25eth0%5D:5000", "fe80::1%eth0"),
        ([], "unix:", "unix"),
        ([], "unix:/run/front.sock", "unix"),
        ([], "", "unknown"),
        (["spiffe://x/a b\n\u00e9"], "", "spiffe://x/a%20b%0A%C3%A9"),
    ],
)
def test_a_caller_is_named_by_what_is_most_certain(uris: list[str], peer: str, name: str) -> None:
    """A SPIFFE id, else another URI, both vouched for by an authority; else the address, without the port that changes."""
    assert name_of(uris, peer) == name


@given(st.lists(st.text(max_size=400), max_size=3), st.text() | st.text(":%[]. ipv46unx0123456789", max_size=40))
def test_a_name_is_bounded_and_printable(uris: list[str], peer: str) -> None:
    """Whatever a certificate holds, the name is at most 256 printable ASCII characters without a space, and never empty."""
    name = name_of(uris, peer)
    assert 1 <= len(name) <= 256
    assert all("!" <= character <= "~" for character in name)
