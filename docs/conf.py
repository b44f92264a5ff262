"""How Sphinx makes a site of this repository's Markdown, each page where a forge shows it: `make docs`."""

from importlib.metadata import version as installed

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
