"""A finding: what is said of one thing, and what to do about it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

Grade = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a subject, in the words of one line; `remedy` says what to do, and is empty where all is well."""

    subject: str
    grade: Grade
    words: str
    remedy: str = ""

    @classmethod
    def ok(cls, subject: str, words: str) -> Self:
        """All is well."""
        return cls(subject, "ok", words)

    @classmethod
    def warning(cls, subject: str, words: str, remedy: str) -> Self:
        """It works, but not as it could."""
        return cls(subject, "warning", words, remedy)

    @classmethod
    def error(cls, subject: str, words: str, remedy: str) -> Self:
        """Something doesn't work, or isn't safe."""
        return cls(subject, "error", words, remedy)

    @property
    def text(self) -> str:
        """The words and the remedy in one line, whatever the words quote."""
        said = f"{self.words.rstrip('.')}. {self.remedy}." if self.remedy else self.words
        return "".join(one if one.isprintable() else " " for one in said)

    def as_dict(self) -> dict[str, str]:
        """It, for JSON."""
        return {"subject": self.subject, "grade": self.grade, "words": self.words, "remedy": self.remedy}


def well(findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong."""
    return all(one.grade != "error" for one in findings)
