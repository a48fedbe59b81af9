"""Sphinx's settings for the site; what they mean is in Sphinx's, MyST's and Furo's own pages."""

from typing import Final

project = "Vedette"
author = "The Vedette developers"
language = "en_GB"
extensions: Final = ["myst_parser"]
exclude_patterns: Final = ["files"]

#: Headings down to this level can be linked to, by the names that forges give them.
myst_heading_anchors = 4
nitpicky = True
suppress_warnings: Final = ["misc.highlighting_failure"]  # languages that Pygments knows not

smartquotes = False

html_theme = "furo"
html_title = "Vedette"
html_favicon = "../../api/page/static/vedette.svg"
html_logo = "../../api/page/static/vedette.svg"
html_static_path: Final = ["static"]
html_css_files: Final = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
pygments_style = "tango"
pygments_dark_style = "github-dark"
html_theme_options: Final = {
    "navigation_with_keys": True,
    "light_css_variables": {
        "color-brand-primary": "#0f766e",
        "color-brand-content": "#0f766e",
        "color-brand-visited": "#5a4a8a",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5ed3c5",
        "color-brand-content": "#5ed3c5",
        "color-brand-visited": "#b9a5ef",
    },
}
