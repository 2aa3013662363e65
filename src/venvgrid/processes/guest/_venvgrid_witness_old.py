# -*- coding: utf-8 -*-
"""The witness of Python 2.7, whose finders find modules and not specs; and how to ask such finders."""

import os
import sys

from _venvgrid_witness import Witness


def asking(finder):
    """Return a function that asks a finder without find_spec, as Python does before 3.12."""
    found = getattr(finder, "find_module", None) if sys.version_info < (3, 12) else None

    def find_spec(name, path, target):
        loader = found(name, path) if found is not None else None
        if loader is None:
            return None
        from _frozen_importlib import spec_from_loader

        return spec_from_loader(name, loader)

    return find_spec


class OldWitness(Witness):
    """The finder of Python 2.7."""

    def find_module(self, name, path=None):
        try:
            if not self.is_watched(name):
                return None
            return self.old_find(name, path)
        except Exception:
            return None

    def old_find(self, name, path):
        parent, _, last = name.rpartition(".")
        parent = parent.replace(".", os.sep)
        sites = [place for place in (self.overlay, self.site) if place]
        places = [[self.join(place, parent) if parent else place] for place in sites] if name in self.first else []
        folders = self.unshipped(name)
        for place in places + [path] + [[self.join(folder, parent)] for folder in folders]:
            for finder in list(sys.meta_path):
                loader = finder.find_module(name, place) if finder is not self else None
                if loader is not None:
                    return loader
            loader = self.imp_loader(name, last, place)
            if loader is not None:
                return loader
        return None

    def imp_loader(self, name, last, place):
        import imp

        try:
            file, path, description = imp.find_module(last, place)
        except ImportError:
            return None
        self.saw(name, self.join(path, "__init__.py") if description[2] == imp.PKG_DIRECTORY else path)
        return _ImpLoader(imp, file, path, description)


class _ImpLoader(object):
    """Loads what imp.find_module found."""

    def __init__(self, *found):
        self.found = found

    def load_module(self, name):
        imp, file, path, description = self.found
        try:
            return imp.load_module(name, file, path, description)
        finally:
            if file:
                file.close()
