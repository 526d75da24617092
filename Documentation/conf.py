# SPDX-License-Identifier: GPL-2.0-only
"""Sphinx configuration of this manual. Documentation/build runs it."""

import os
import re
import sys

# Kernel-doc comments are read by the kernel's own extension, from the kernel source that "build" is given.
ksrc = os.environ["srctree"]
sys.path.insert(0, os.path.join(ksrc, "Documentation", "sphinx"))

here = os.path.dirname(os.path.abspath(__file__))

project = "wddmcompat"
with open(os.path.join(here, "..", "dkms.conf"), encoding="utf-8") as dkms:
    release = re.search('^PACKAGE_VERSION="(.*)"', dkms.read(), re.MULTILINE).group(1)
version = release
author = "wddmcompat developers"
html_show_copyright = False

extensions = ["kerneldoc", "automarkup"]
kerneldoc_srctree = os.path.dirname(here)
# The extension of older kernels, such as 6.12, calls this program
kerneldoc_bin = os.path.join(ksrc, "scripts", "kernel-doc")

# Two dashes are two dashes
smartquotes = False
primary_domain = "c"
highlight_language = "c"

# page, name, description, authors, section
man_pages = [
    ("wddmctl", "wddmctl", "look at the wddmcompat module, and use it by hand", [], 1),
    ("library", "libwddmcompat", "map memory for a device as WDDM does", [], 3),
    ("uapi", "wddmcompat", "map memory that an MDL describes for a device", [], 4),
]

html_theme = "alabaster"
html_theme_options = {
    "description": "WDDM's MDL mapping, on Linux's iommufd",
    "fixed_sidebar": True,
    "page_width": "70em",
}
html_show_sourcelink = False
