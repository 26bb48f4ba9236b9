from __future__ import annotations

from importlib.util import find_spec

# An import that is skipped here would end the whole session.
collect_ignore_glob = [] if find_spec("lancedb") else ["test_*.py"]
