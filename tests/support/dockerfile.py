"""A Dockerfile's steps, performed without Docker: on copies of this machine's root file system, which stands in for the base image.

Each step has a mount namespace of its own (Linux, as root). What it writes is kept in a folder, a stage's layer, and nothing else
is left of it.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PYTHON = Path(sys.base_prefix)

#: Lays a stage's folder, if any may be written to, over the machine's own root, with what of the kernel's a process needs.
MOUNTED = """
set -e
PATH=$PATH:/usr/sbin:/sbin
mount -t overlay overlay -o "$LAYERS" "$ROOT"
mount --rbind /dev "$ROOT/dev"
mount -t proc proc "$ROOT/proc"
mount -t tmpfs tmpfs "$ROOT/tmp"
"""


def can_mount() -> bool:
    """Whether this machine lets us."""
    asked = ["unshare", "--mount", "--pid", "--net", "--fork", "ip", "link", "set", "lo", "up"]
    return sys.platform == "linux" and os.geteuid() == 0 and subprocess.run(asked, check=False, capture_output=True).returncode == 0


@dataclass
class Stage:
    """One image of those that a Dockerfile builds, as its steps leave it: its `layer` is all that they wrote."""

    folder: Path
    steps: list[tuple[str, str]] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=lambda: {"PATH": f"{PYTHON}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
    where: str = "/"
    labels: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    healthcheck: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("layer", "work", "root"):
            (self.folder / name).mkdir(parents=True)

    @property
    def layer(self) -> Path:
        """The folder of what the steps wrote."""
        return self.folder / "layer"

    @property
    def _layers(self) -> str:
        return f"index=off,lowerdir=/,upperdir={self.layer},workdir={self.folder / 'work'}"

    def run(self, command: str) -> None:
        """Perform a RUN."""
        script = f"{MOUNTED}\nexec chroot $ROOT sh -c {shlex.quote(f'cd {self.where} && {command}')}"
        env = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
        env |= self.env | {"HOME": "/root", "LAYERS": self._layers, "ROOT": str(self.folder / "root")}
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], check=False, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"RUN {command}: {done.stdout}{done.stderr}"

    def container(self, command: list[str], env: dict[str, str], mounts: dict[str, Path]) -> list[str]:
        """The command that runs one in the image: as process 1, as its user, on a network of its own.

        There is nothing to write to but /tmp, and the folders that are mounted.
        """
        binds = "\n".join(f"mount --bind {folder} $ROOT{place}" for place, folder in mounts.items())
        script = f"{MOUNTED}{binds}\nip link set lo up\nexec chroot $ROOT {shlex.join(self._as_user(command, env))}"
        layers = [f"LAYERS=ro,{self._layers}", f"ROOT={self.folder / 'root'}"]
        return ["env", *layers, "unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", script]

    def inside(self, pid: int, command: list[str], env: dict[str, str]) -> list[str]:
        """The command that runs another in the container of this process."""
        return ["nsenter", f"--target={pid}", "--mount", "--pid", "--net", "--root", "--wd", *self._as_user(command, env)]

    def _as_user(self, command: list[str], env: dict[str, str]) -> list[str]:
        user, group = self.user.split(":")
        rights = ["--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        variables = [f"{name}={value}" for name, value in (self.env | env).items()]
        return ["setpriv", f"--reuid={user}", f"--regid={group}", *rights, "env", "-i", *variables, *command]


def steps(dockerfile: Path) -> Iterator[tuple[str, str]]:
    """Each instruction and what follows it on its line or lines."""
    lines = [line for line in dockerfile.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        yield word, rest


def build(dockerfile: Path, context: Path, folder: Path, **arguments: str) -> Stage:
    """The last stage, once every step of every stage is performed."""
    stages: dict[str, Stage] = {}
    for word, rest in steps(dockerfile):
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "final"
            stages[name] = stage = Stage(folder / name)
            parents = " ".join(str(one) for one in PYTHON.parents)
            stage.run(f"chmod a+rx {parents}")  # where this machine's Python is only for root
        elif word != "ARG" or stages:
            _perform(stage, word, rest, context, stages, arguments)
    return stage


def _perform(stage: Stage, word: str, rest: str, context: Path, stages: dict[str, Stage], arguments: dict[str, str]) -> None:
    match word:
        case "RUN":
            stage.run(re.sub(r"^(--mount=\S+\s+)+", "", rest))
        case "WORKDIR":
            stage.where = rest
            (stage.layer / rest.lstrip("/")).mkdir(parents=True)
        case "COPY":
            _copy(stage, rest.split(), context, stages)
        case "ARG":
            name, _, value = rest.partition("=")
            arguments.setdefault(name, value)
        case "LABEL":
            stage.labels |= dict(one.split("=", 1) for one in shlex.split(_filled(rest, arguments)))
        case "ENV":
            stage.env |= dict(one.split("=", 1) for one in shlex.split(rest.replace("$PATH", stage.env["PATH"])))
        case "USER":
            stage.user = rest
        case "HEALTHCHECK":
            stage.healthcheck = json.loads(rest.partition(" CMD ")[2])
        case "ENTRYPOINT":
            stage.entrypoint = json.loads(rest)
        case _:
            assert word == "EXPOSE", f"{word} is not known here"


def _filled(text: str, arguments: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], text)


def _copy(stage: Stage, words: list[str], context: Path, stages: dict[str, Stage]) -> None:
    if words[0].startswith("--from="):
        (source, target), origin = words[1:], stages[words[0].partition("=")[2]]
        shutil.copytree(origin.layer / source.lstrip("/"), stage.layer / target.lstrip("/"), symlinks=True)
        return
    (source, target), rules = words, (context / ".dockerignore").read_text().split()
    into = stage.layer / stage.where.lstrip("/")
    assert target == "."
    tops = [top for top in context.iterdir() if sent(top.relative_to(context), rules)] if source == "." else [context / source]
    for path in (path for top in tops for path in (top, *top.rglob("*"))):
        name = path.relative_to(context)
        if path.is_file() and sent(name, rules):
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, into / name)


def sent(name: Path, rules: list[str]) -> bool:
    """Whether a file of the context is sent, by the last rule of .dockerignore that is about it or a folder of it."""
    parts = [str(one) for one in (name, *name.parents[:-1])]
    goes = True
    for rule in rules:
        pattern = rule.removeprefix("!")
        tail = pattern.removeprefix("**/")
        if any(
            fnmatch.fnmatchcase(one, pattern) or (tail != pattern and fnmatch.fnmatchcase(Path(one).name, tail)) for one in parts
        ):
            goes = rule.startswith("!")
    return goes
