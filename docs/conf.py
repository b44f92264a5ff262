"""How Sphinx makes a site of this repository's Markdown, each page where a forge shows it: `make docs`."""

from importlib.metadata import version as installed
from pathlib import Path

from docutils.nodes import document
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

project = "wakequeue"
copyright = "the wakequeue maintainers"  # noqa: A001  Sphinx's name
release = version = installed("wakequeue")

extensions = ["myst_parser"]
include_patterns = ["README.md", "CHANGELOG.md", "docs/*.md", "deploy/**README.md"]
exclude_patterns = [".*", "build", "dist", "tests"]
root_doc = "docs/index"
myst_heading_anchors = 4

templates_path = ["templates"]
html_theme = "furo"
html_title = "wakequeue"
html_copy_source = False
html_show_sphinx = False
#: The site begins where its folder does.
html_additional_pages = {"index": "redirect.html"}


def setup(app: Sphinx) -> None:
    """What Sphinx calls."""
    app.connect("doctree-read", show_folders)


def show_folders(app: Sphinx, read: document) -> None:
    """A link to a folder, which a forge shows and a site has no page of, is its words alone."""
    for link in list(read.findall(pending_xref)):
        if "/" in link["reftarget"] and Path(app.env.relfn2path(link["reftarget"], link["refdoc"])[1]).is_dir():
            link.replace_self(link.children)
