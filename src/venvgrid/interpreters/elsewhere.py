"""Interpreters of other platforms: what is known of them without them. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from venvgrid.config.platforms import PLATFORMS

if TYPE_CHECKING:
    from venvgrid.model import Interpreter


def interpreter_on(platform: str, like: Interpreter) -> Interpreter:
    """Return the interpreter of a platform that has the version and the build of one that is known here.

    Its PEP 508 markers are those of the platform; what depends on a single machine is empty.
    """
    unknown = {"platform_release": "", "platform_version": ""}
    return replace(
        like,
        platform=platform,
        bits=64,
        markers={**like.markers, **unknown, **PLATFORMS[platform].markers},
        source="",
        elsewhere=True,
    )
