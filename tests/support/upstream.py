"""Mixer's messages by another implementation than the one under test: C++, by `protoc`, from a schema with upstream's own types."""

import subprocess
import sys
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorSet

SCHEMA: Final = Path(__file__).parent / "upstream"
INCLUDES: Final = (f"-I{SCHEMA}", f"-I{resources.files('google.rpc').joinpath('../..')}")

#: Mixer's templates, and the model that they share.
MODEL: Final = "istio.mixer.adapter.model.v1beta1"


def encode(message: str, text: str) -> bytes:
    """The bytes of a message, by its full name, from protobuf's text format."""
    return _protoc(f"--encode={message}", _file(message), stdin=text.encode())


def decode(message: str, data: bytes) -> str:
    """The text format of a message, by its full name."""
    return _protoc(f"--decode={message}", _file(message), stdin=data).decode()


@cache
def descriptors(file: str) -> FileDescriptorSet:
    """What protoc makes of one of the schema's files, and of all that it imports."""
    return FileDescriptorSet.FromString(_protoc("--include_imports", "--descriptor_set_out=/dev/stdout", file))


def _file(message: str) -> str:
    return "model.proto" if message.startswith(MODEL) else f"{message.partition('.')[0]}.proto"


def _protoc(*arguments: str, stdin: bytes = b"") -> bytes:
    command = [sys.executable, "-m", "grpc_tools.protoc", *INCLUDES, *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout
