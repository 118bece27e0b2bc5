"""How the pages are built: `make docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generate import write_pages  # noqa: E402

from llm_routing_env import __version__  # noqa: E402

project = "PickLLM"
author = "the authors of llm-routing-env"
release = __version__
extensions = ["myst_nb", "sphinx_copybutton"]
exclude_patterns = ["jupyter_execute", "_build"]
nb_execution_mode = "off"  # the tour's outputs are committed; tests/test_tour.py executes it again
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_title = f"PickLLM {__version__}"
html_show_copyright = False
myst_enable_extensions = ["colon_fence", "attrs_block"]
myst_heading_anchors = 3
# Pages are read on the forge too, so they link to files of the repository, which are no pages here; and what a command
# printed stands under it.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]

write_pages(HERE / "generated")
