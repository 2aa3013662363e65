# -*- coding: utf-8 -*-
"""Answers importlib.metadata for the project from the environment: a part of the witness."""

import os
import sys


def normal(name):
    return (name or "").replace("_", "-").replace(".", "-").lower()


def is_shadowed(project, site):
    """Return whether a folder in front of site-packages holds metadata of the project, such as an egg-info of the checkout."""
    for place in sys.path:
        if not isinstance(place, str) or os.path.realpath(place) == os.path.realpath(site):
            return False
        try:
            names = os.listdir(place or os.curdir)
        except OSError:
            continue
        for name in names:
            stem, kind = os.path.splitext(name)
            if kind in (".egg-info", ".dist-info") and normal(stem.partition("-")[0]) == project:
                return True
    return False


def find(context, project, site):
    """Return the installed copy of the project: if it is asked for, or if all are and another copy would be in front of it.

    Who asks for all takes the first of each name.
    """
    name = normal(getattr(context, "name", None))
    is_asked = name == project or (not name and context.path == sys.path and is_shadowed(project, site))
    if not is_asked:
        return iter(())
    try:
        from importlib.metadata import DistributionFinder, MetadataPathFinder
    except ImportError:  # Python 3.7 and older have it as a distribution, which finds by itself
        return iter(())
    wanted = DistributionFinder.Context(name=context.name or project, path=[site])
    return MetadataPathFinder.find_distributions(wanted)
