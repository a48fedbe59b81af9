"""The documentation as a site: `python -m docs.website` builds it, strictly.

navigation.toml   which page stands where; every page of docs/ does
navigation        reads that, and says where a page of the project is on the site
links             links between files of the project become links between pages of the site
pages             puts all pages into a folder for Sphinx: written ones, and those of reference/
reference/        pages that are made of the program itself: settings, commands, detectors,
                  formats and routes, so that they cannot part from it
conf              settings of Sphinx
"""
