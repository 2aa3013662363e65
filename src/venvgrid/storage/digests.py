"""Short digests of data and text, for keys and file names. Not for passwords or signatures."""

from __future__ import annotations

import hashlib
import json


def of_json(data: object, length: int = 32) -> str:
    """Return a digest of JSON-able data as `length` hex characters; the order of keys does not matter."""
    return of_text(json.dumps(data, sort_keys=True), length)


def of_text(content: str | bytes, length: int = 32) -> str:
    """Return a digest of a text or of bytes as `length` hex characters (BLAKE2b; an even number up to 128)."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.blake2b(data, digest_size=length // 2).hexdigest()
