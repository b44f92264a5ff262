"""Why something can't be reached, in words and with what to do about it. Pure."""

import socket
import ssl
from collections.abc import Iterator
from typing import Final

from wakequeue.doctor.finding import Finding
from wakequeue.doctor.seen import Refusal

#: By cause, what to do, whatever it is that can't be reached.
REMEDIES: Final = {
    "refused": "Start it there, or correct the host and the port",
    "name": "Correct the host: a Service is NAME.NAMESPACE.svc.cluster.local, and must exist",
    "certificate": "Name the authority that signed it ({link}_ca_file), and the host as its certificate does",
    "tls": "See whether both ends mean TLS, and whether this one's certificate ({link}_certificate_file) is wanted",
    "silent": "See to the network policies between here and there, and whether it is stuck",
    "missing": "Correct the path, or start what makes it",
    "forbidden": "Run as a user that may read and write there",
}


def why(error: BaseException) -> Refusal | None:
    """The cause that the network or TLS had, which libraries wrap in errors of their own; None where neither had one."""
    return next(filter(None, map(_why, _chain(error))), None)


def finding(subject: str, place: str, refusal: Refusal, link: str) -> Finding:
    """An error: a place can't be reached by one of these causes; `link` is what the names of its settings begin with."""
    remedy = REMEDIES.get(refusal.cause, "See to the network between here and there").format(link=link)
    return Finding.error(subject, f"{place} can't be reached: {refusal.detail}", remedy)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _why(error: BaseException) -> Refusal | None:
    refusal: Refusal | None = None
    match error:
        case ssl.SSLCertVerificationError():
            refusal = Refusal("certificate", f"its certificate isn't trusted: {error.verify_message}")
        case ssl.SSLError():
            refusal = Refusal("tls", f"TLS failed: {getattr(error, 'reason', None) or error}")
        case socket.gaierror():
            refusal = Refusal("name", "its name has no address")
        case ConnectionRefusedError():
            refusal = Refusal("refused", "nothing listens there")
        case TimeoutError():
            refusal = Refusal("silent", "no answer in time")
        case FileNotFoundError():
            refusal = Refusal("missing", f"there is no {error.filename or 'such socket'}")
        case PermissionError():
            refusal = Refusal("forbidden", f"{error.filename or 'the socket'} may not be used")
    return refusal
