"""Compile the protocol definitions beside this file into the packages; with --check, only say whether they are up to date."""

import filecmp
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

PROTOS = Path(__file__).parent
ROOT = PROTOS.parent


def compile_into(folder: Path) -> list[Path]:
    """Write the modules and their stubs under `folder`; return their paths relative to it."""
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    includes = [PROTOS, resources.files("grpc_tools") / "_proto", resources.files("google.rpc").joinpath("../..")]
    arguments = [f"-I{include}" for include in includes] + [f"--python_out={folder}", f"--pyi_out={folder}", *sources]
    if protoc.main(["protoc", *arguments]):
        sys.exit("protoc refused the definitions")
    return [path.relative_to(folder) for path in sorted(folder.rglob("*_pb2.py*"))]


def main() -> None:
    """Compile, or compare."""
    with tempfile.TemporaryDirectory() as scratch:
        made = compile_into(Path(scratch))
        if "--check" in sys.argv:
            stale = [path for path in made if not _same(Path(scratch) / path, ROOT / path)]
            sys.exit(f"not up to date, run `make protos`: {', '.join(map(str, stale))}" if stale else 0)
        for path in made:
            (ROOT / path).write_bytes((Path(scratch) / path).read_bytes())


def _same(one: Path, other: Path) -> bool:
    return other.exists() and filecmp.cmp(one, other, shallow=False)


if __name__ == "__main__":
    main()
