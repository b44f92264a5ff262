"""`make docs` makes a site of the pages, and refuses one in which a link leads nowhere."""

import shutil
import subprocess
from pathlib import Path

from support.processes import BIN

ROOT = Path(__file__).parents[2]

INDEX = """\
# All

[a page](other.md#its-end), [one beside what it is about](../deploy/it/README.md), [a file](../deploy/it/it.yaml),
[a folder](../deploy/it)

```{toctree}
:glob:

other
/deploy/**README
```
"""


def build(folder: Path, **pages: str) -> subprocess.CompletedProcess[str]:
    """What `make docs` does, with these pages."""
    shutil.copytree(ROOT / "docs/templates", folder / "docs/templates")
    shutil.copy(ROOT / "docs/conf.py", folder / "docs")
    (folder / "deploy/it").mkdir(parents=True)
    (folder / "deploy/it/README.md").write_text("# It\n\n[back](../../docs/index.md)\n")
    (folder / "deploy/it/it.yaml").write_text("it: {}\n")
    for name, text in pages.items():
        (folder / f"docs/{name}.md").write_text(text)
    made = subprocess.run(["make", "-n", "docs"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in made.splitlines() if "sphinx-build" in line]
    command = line.replace(".venv/bin/", f"{BIN}/").split()
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_links_lead_where_they_do_on_a_forge(tmp_path: Path) -> None:
    """Pages of the site may be anywhere, and link to each other, to headings, files and folders by their paths."""
    built = build(tmp_path, index=INDEX, other="# Other\n\n## Its end\n")
    assert (built.returncode, built.stderr) == (0, "")
    page = (tmp_path / "build/docs/docs/index.html").read_text()
    assert 'href="other.html#its-end"' in page
    assert 'href="../deploy/it/README.html"' in page
    assert (tmp_path / "build/docs/index.html").exists()


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    """A link to a page, a heading or a file that isn't there fails the build, each with a line."""
    built = build(tmp_path, index=INDEX, other="# Other\n\n[1](gone.md) [2](../deploy/gone) [3](index.md#gone) [4](#gone)\n")
    assert built.returncode != 0
    for nowhere in ("'docs/other': 'its-end'", "gone.md", "deploy/gone", "'docs/index': 'gone'"):
        assert nowhere in built.stderr
    assert built.stderr.count("myst.xref_missing") == 5
