"""Which Pythons the machine has, which of them an axis asks for, and how to get one that is missing.

discover → Found → resolve_specs → Interpreter or Missing → (install)
"""

from __future__ import annotations

from venvgrid.interpreters.candidates import PassedOver
from venvgrid.interpreters.choosing import Missing, resolve_specs
from venvgrid.interpreters.discovery import Found, Place, discover, find_one, look
from venvgrid.interpreters.downloads import install, switched_off
from venvgrid.interpreters.listing import python_json, python_lines
from venvgrid.interpreters.machine import Machine
from venvgrid.interpreters.specs import Spec, choose, matches, parse_spec

__all__ = [
    "Found",
    "Machine",
    "Missing",
    "PassedOver",
    "Place",
    "Spec",
    "choose",
    "discover",
    "find_one",
    "install",
    "look",
    "matches",
    "parse_spec",
    "python_json",
    "python_lines",
    "resolve_specs",
    "switched_off",
]
