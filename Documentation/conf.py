# SPDX-License-Identifier: GPL-2.0-only
"""Sphinx configuration of this manual. Documentation/build runs it."""

import os
import sys

# Kernel-doc comments are read by the kernel's own extension, from the kernel source that "build" is given.
ksrc = os.environ["srctree"]
sys.path.insert(0, os.path.join(ksrc, "Documentation", "sphinx"))

project = "wddmcompat"
author = "wddmcompat developers"
html_show_copyright = False

extensions = ["kerneldoc", "automarkup"]
kerneldoc_srctree = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The extension of older kernels, such as 6.12, calls this program
kerneldoc_bin = os.path.join(ksrc, "scripts", "kernel-doc")

primary_domain = "c"
highlight_language = "c"

html_theme = "alabaster"
html_theme_options = {
    "description": "WDDM's MDL mapping, on Linux's iommufd",
    "fixed_sidebar": True,
    "page_width": "70em",
}
html_show_sourcelink = False
