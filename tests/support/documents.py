"""The Markdown that people read: its fenced blocks, and the commands in them.

In a block marked `console` a command follows `$ `, and what it prints follows it. In one that is marked as nothing it is the same
where there is a `$ `; else each line is a command if the first one begins with a program of `PROGRAMS`.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = sorted(path for pattern in ("README.md", "docs/*.md", "deploy/**/README.md") for path in ROOT.glob(pattern))

#: What a line begins with that is a command, though no `$ ` says so.
PROGRAMS = {"cd", "curl", "docker", "envoy", "helm", "istioctl", "kubectl", "make", "pip", "wakequeue", ".venv/bin/wakequeue"}

SHELL = {"", "bash", "console", "sh", "shell"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: what it is marked as, and its lines."""

    page: Path
    line: int
    language: str
    lines: tuple[str, ...]


@dataclass(slots=True)
class Command:
    """A command, as the page has it, and the lines that it is said to print."""

    page: Path
    line: int
    text: str
    output: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: {self.text}"

    @property
    def words(self) -> list[str]:
        """The words of its line, without a comment; what joins two commands is a word too."""
        lexer = shlex.shlex(self.text, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        return list(lexer)

    @property
    def simple(self) -> list[list[str]]:
        """Its simple commands, each without the variables that are set before it."""
        parts: list[list[str]] = [[]]
        for word in self.words:
            if set(word) <= set("|&;"):
                parts.append([])
            elif parts[-1] or not re.match(r"[A-Z_]+=", word):
                parts[-1].append(word)
        return parts


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    fence, indent, language, began, inside = "", "", "", 0, []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        mark = re.match(r"(\s*)(`{3,})(.*)", line)
        if mark and not fence:
            fence, indent, language, began, inside = mark[2], mark[1], mark[3].strip(), number, []
        elif mark and mark[2] == fence and not mark[3].strip():
            yield Block(page, began, language, tuple(inside))
            fence = ""
        elif fence:
            inside.append(line.removeprefix(indent))
    assert not fence, f"{page}:{began}: a block without an end"


def commands(page: Path) -> Iterator[Command]:
    """The commands of a page."""
    for block in blocks(page):
        prompts = any(line.startswith("$ ") for line in block.lines)
        first = (block.lines or ("",))[0].split()
        if block.language in SHELL and (block.language or prompts or (first[:1] and first[0] in PROGRAMS)):
            yield from _commands(block, prompts=prompts)


def _commands(block: Block, *, prompts: bool) -> Iterator[Command]:
    command: Command | None = None
    for number, line in enumerate(block.lines, block.line + 1):
        if command and command.text.endswith("\\"):
            command.text = command.text[:-1] + line.strip()
        elif line.startswith("$ ") or (not prompts and line.strip() and not line.startswith("#")):
            if command:
                yield command
            command = Command(block.page, number, line.removeprefix("$ "))
        elif prompts and command:
            command.output.append(line)
    if command:
        yield command
