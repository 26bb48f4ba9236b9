"""Ray actors: thin shells that move items between the library's stages and report health."""

from __future__ import annotations

import os

# Both are read when Ray is imported. Usage reporting stays off unless someone turns it on; the
# second one, despite its name, makes every one of Ray's listeners bind 127.0.0.1 alone.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
