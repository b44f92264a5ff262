"""The Revision: what is one, and its one text form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakequeue.revision import LABEL, Revision

labels = st.from_regex(LABEL, fullmatch=True)


@pytest.mark.parametrize("label", ["a", "0", "a-b", "hello-00001", "9-9", "a--b", "a" * 63])
def test_a_dns_label_is_accepted(label: str) -> None:
    """Either part may be any DNS label, from 1 to 63 characters."""
    assert str(Revision(label, "hello")) == f"{label}/hello"
    assert str(Revision("default", label)) == f"default/{label}"


NO_LABELS = ["", "A", "a_b", "-a", "a-", "-", "a.b", "a/b", "a b", "a\n", "\na", "a" * 64, "ä", "\u212a", "a\0", "٣", "\udcff"]


@pytest.mark.parametrize("text", NO_LABELS)
def test_anything_else_is_refused(text: str) -> None:
    """What is no DNS label is refused in both places, and the error says which place it was."""
    with pytest.raises(ValueError, match=r"^namespace .* is not a DNS label"):
        Revision(text, "hello")
    with pytest.raises(ValueError, match=r"^name .* is not a DNS label"):
        Revision("default", text)


def test_an_error_is_one_short_line() -> None:
    """However long and strange a name is, its error is one line of bounded length."""
    for refused in (lambda: Revision("a\n" * 5000, "hello"), lambda: Revision.parse("\n" * 5000)):
        with pytest.raises(ValueError, match="is not") as caught:
            refused()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


@given(labels, labels)
def test_the_key_comes_back(namespace: str, name: str) -> None:
    """A Revision is read from its own text form."""
    revision = Revision(namespace, name)
    assert str(revision) == f"{namespace}/{name}"
    assert Revision.parse(str(revision)) == revision


@pytest.mark.parametrize(
    "key", ["", "hello", "/", "default/", "/hello", "a/b/c", "default/Hello", "default/hello\n", " default/hello"]
)
def test_a_key_has_exactly_two_labels(key: str) -> None:
    """Any other text is no key."""
    with pytest.raises(ValueError, match="is not"):
        Revision.parse(key)


def test_revisions_are_values() -> None:
    """Equal Revisions are one key of a dict, and they are ordered by namespace, then name."""
    assert {Revision("a", "b"): 1}[Revision("a", "b")] == 1
    assert sorted([Revision("b", "a"), Revision("a", "c"), Revision("a", "b")]) == [
        Revision("a", "b"),
        Revision("a", "c"),
        Revision("b", "a"),
    ]
