"""Sphinx: pages in MyST Markdown, tutorials as they stand, names from the public surface (`make docs`).

Three things are made while pages are read, so that nothing is written twice: a tutorial in jupytext's percent format
becomes a page, the comment `<!-- names of ROOM -->` becomes the public names of that room, and docstrings, which are
plain text with some mathematics, become reStructuredText.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import _reading

import paretokit

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "paretokit"
author = "The paretokit developers"
project_copyright = "The paretokit developers, MIT license"
version = release = paretokit.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown", ".py": "markdown"}
exclude_patterns = ["_build", "conf.py", "_*.py", "**/.ipynb_checkpoints", "**/__pycache__"]
nitpicky = False
default_role = "code"
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Cost", "Deviations", "Source", "Sources"]

html_theme = "furo"
html_title = f"paretokit {version}"
html_show_sphinx = False
html_copy_source = False


def setup(app: Sphinx) -> None:
    """Hand pages and docstrings through the readers beside this file."""
    app.connect("source-read", _reading.page)
    app.connect("autodoc-process-docstring", _reading.docstring, priority=100)  # before napoleon, at 500
