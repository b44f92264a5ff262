"""The examination of a front's gRPC port: from the inside, as a caller on its machine comes to it."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2

from wakequeue.doctor.causes import why
from wakequeue.doctor.finding import Finding
from wakequeue.doctor.places import reached_at
from wakequeue.settings import Settings

SUBJECT: Final = "grpc"

SECONDS: Final = 2.0
DAY: Final = 86_400
SOON_DAYS: Final = 14

HEALTH: Final = "/grpc.health.v1.Health/Check"

#: It tells of services, and wakes nothing.
REFLECTION: Final = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

SERVING: Final = health_pb2.HealthCheckResponse.SERVING
REFUSALS: Final = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a front's port said: the code of its health check, with words of gRPC's; and what a call without token got.

    `health` is empty where its certificate has no name by which gRPC would call it.
    """

    health: str
    detail: str = ""
    without_token: grpc.StatusCode | None = None


def examine(settings: Settings) -> list[Finding]:
    """What is found of it; blocks for some seconds at most."""
    address = reached_at(settings.grpc_address)
    try:
        socket.create_connection((address.host, address.port), SECONDS).close()
    except OSError as error:
        found = why(error)
        if found and found.cause == "refused":
            return [Finding.ok(SUBJECT, f"nothing listens at {settings.grpc_address} on this machine")]
        words = f"{settings.grpc_address} can't be reached: {found.detail if found else error}"
        return [Finding.error(SUBJECT, words, "Correct grpc_address, or see what listens there")]
    try:
        certificate = _certificate(settings) if settings.grpc_certificate_file else None
        seen = _asked(settings, certificate)
    except OSError as error:
        found = why(error)
        return [bad_certificate(found.detail if found else str(error), settings)]
    return [*health(seen, settings), *(expiry(certificate, time.time()) if certificate else ())]


def health(seen: Seen, settings: Settings) -> Iterator[Finding]:
    """It serves, and lets nobody in without the token that is set."""
    needs_certificate = settings.grpc_client_ca_file and seen.health == grpc.StatusCode.UNAVAILABLE.name
    if not seen.health or needs_certificate:
        why_not = "clients need a certificate, and its own is none" if needs_certificate else "its certificate names no host"
        yield Finding.ok(SUBJECT, f"{settings.grpc_address} speaks TLS; it can't be asked whether it serves: {why_not}")
    elif seen.health != "SERVING":
        words = f"{settings.grpc_address} doesn't serve: {seen.health} {seen.detail}".rstrip()
        yield Finding.error(SUBJECT, words, "See what listens there, and its log; a front that is being stopped says so too")
    elif (settings.grpc_token or settings.grpc_token_file) and seen.without_token is grpc.StatusCode.OK:
        words = f"{settings.grpc_address} lets in a call without the token that is set"
        yield Finding.error(SUBJECT, words, "Restart the front with grpc_token or grpc_token_file set as here")
    else:
        refuses = ", and refuses a call without a token" if seen.without_token in REFUSALS else ""
        yield Finding.ok(SUBJECT, f"{settings.grpc_address} serves{refuses}")


def expiry(certificate: dict[str, Any], now: float) -> Iterator[Finding]:
    """The certificate that it shows is valid for some time yet."""
    days = (ssl.cert_time_to_seconds(certificate["notAfter"]) - now) / DAY
    names = ", ".join(name for _, name in certificate.get("subjectAltName", ()))
    words = f"its certificate, for {names or 'no name'}, is valid for {days:,.0f} days more"
    if days < SOON_DAYS:
        yield Finding.warning(SUBJECT, words, "Renew it: a front reads grpc_certificate_file again when it changes")
    else:
        yield Finding.ok(SUBJECT, words)


def bad_certificate(detail: str, settings: Settings) -> Finding:
    """TLS with the certificate that the settings name fails."""
    words = f"{settings.grpc_address} is not reached with grpc_certificate_file: {detail}"
    return Finding.error(SUBJECT, words, "Renew the certificate; or restart a front that was started without it")


def _certificate(settings: Settings) -> dict[str, Any]:
    """What the port shows, trusted as the file that it is from. Raises OSError where it isn't, or not any more."""
    context = ssl.create_default_context(cafile=settings.grpc_certificate_file)
    # By default, Python 3.13 and later refuse authorities that don't say what their keys are for; gRPC's clients don't.
    context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    if settings.grpc_client_ca_file:
        context.load_cert_chain(settings.grpc_certificate_file, settings.grpc_key_file)
    address = reached_at(settings.grpc_address)
    with socket.create_connection((address.host, address.port), SECONDS) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.getpeercert() or {}


def _asked(settings: Settings, certificate: dict[str, Any] | None) -> Seen:
    if certificate and not _name(certificate):
        return Seen("")
    with contextlib.closing(_channel(settings, certificate)) as channel:
        try:
            answer = _check(channel)(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        except grpc.RpcError as error:
            return Seen(error.code().name, error.details() or "")
        if answer.status != SERVING:
            return Seen(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
        return Seen("SERVING", without_token=_without_token(channel))


def _channel(settings: Settings, certificate: dict[str, Any] | None) -> grpc.Channel:
    address = reached_at(settings.grpc_address)
    if certificate is None:
        return grpc.insecure_channel(address)
    shared = Path(settings.grpc_certificate_file).read_bytes()
    own = (Path(settings.grpc_key_file).read_bytes(), shared) if settings.grpc_client_ca_file else (None, None)
    options = [("grpc.ssl_target_name_override", _name(certificate))]
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(shared, *own), options)


def _name(certificate: dict[str, Any]) -> str:
    """What gRPC may take it to have called, so that the certificate is for that; empty where it is for URIs alone."""
    names = {kind: name for kind, name in certificate.get("subjectAltName", ()) if kind in {"DNS", "IP Address"}}
    return names.get("DNS", "").replace("*", "any") or str(ip_address(names["IP Address"])) if names else ""


def _check(channel: grpc.Channel) -> "grpc.UnaryUnaryMultiCallable[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]":
    request, answer = health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
    return channel.unary_unary(HEALTH, request_serializer=request.SerializeToString, response_deserializer=answer.FromString)


def _without_token(channel: grpc.Channel) -> grpc.StatusCode:
    call = channel.stream_stream(REFLECTION, request_serializer=bytes, response_deserializer=bytes)(iter(()), timeout=SECONDS)
    with contextlib.suppress(grpc.RpcError):
        for _ in call:
            pass
    return call.code()
