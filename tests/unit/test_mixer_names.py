"""What an instance says: names as they are compared, and values of every type as text."""

import struct

import pytest
from support.mixer import field

from gateway_hook.mixer.names import first, plain, text_of
from gateway_hook.wire.value_pb2 import Value


@pytest.mark.parametrize(
    "name",
    [
        "destination.service.name",
        "destination_service_name",
        "destinationServiceName",
        "Destination-Service-Name",
        b"destinationServiceName",
    ],
)
def test_names_are_compared_without_what_instances_differ_in(name: str | bytes) -> None:
    """Case, dots, dashes and underscores make no difference; anything else does."""
    assert plain(name) == "destinationservicename"
    assert plain("destination service name") != "destinationservicename"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (field(1, b"hello"), b"hello"),
        (field(1, b"\xff"), b"\xff"),
        (b"\x10\x2a", b"42"),
        (b"\x10" + b"\xff" * 9 + b"\x01", b"-1"),
        (b"\x19" + struct.pack("<d", 1.5), b"1.5"),
        (b"\x20\x01", b"true"),
        (b"\x20\x00", b"false"),
        (field(5, field(1, b"\x0a\0\0\x01")), b"10.0.0.1"),
        (field(5, field(1, b"\0" * 10 + b"\xff\xff\x0a\0\0\x01")), b"10.0.0.1"),
        (field(5, field(1, b"\0" * 15 + b"\x01")), b"::1"),
        (field(5, field(1, b"\x0a\0\0")), b""),
        (field(6, field(1, b"\x08\x01")), b""),
        (field(7, field(1, b"\x08\x01")), b""),
        (field(8, field(1, b"ann@example.com")), b"ann@example.com"),
        (field(9, field(1, b"a.default.svc")), b"a.default.svc"),
        (field(10, field(1, b"http://a/")), b"http://a/"),
        (field(11, field(1, field(1, b"a") + field(2, b"b"))), b""),
        (field(9, b""), b""),
        (b"", b""),
    ],
)
def test_a_value_of_every_type_has_a_text(data: bytes, text: bytes) -> None:
    """By the field numbers of istio.policy.v1beta1.Value: what is a name, a number or an address says so; the rest says nothing."""
    assert text_of(Value.FromString(data)) == text


def test_the_first_that_says_something_is_taken() -> None:
    """A name without a text, or with Istio's `unknown`, leaves it to the next."""
    names = {"a": b"", "b": b" ", "c": b"unknown", "d": b"x", "e": b"y"}
    assert first(names, ("a", "b", "c", "z", "d", "e")) == b"x"
    assert first(names, ("a", "b", "c", "z")) == b""
