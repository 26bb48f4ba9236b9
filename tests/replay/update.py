"""Makes golden replays anew: `python -m tests.replay.update [--recordings] [NAME ...]`.

Prints what differs from before. With --recordings the recordings, too, are made again, which is
only needed when the format of recordings or the scenes changed.
"""

from __future__ import annotations

import sys

from tests.replay.golden import CONFIGS, GOLDEN, differences, golden, keep, make, played


def main(args: list[str]) -> None:
    names = [arg for arg in args if not arg.startswith("-")] or list(CONFIGS)
    for name in names:
        if "--recordings" in args:
            make(name)
        before = golden(name) if (GOLDEN / f"{name}.json").exists() else {}
        found = played(name)
        changed = list(differences(before, found)) if before else []
        print(f"{name}: {len(found['windows'])} windows, {len(found['alerts'])} alerts")
        print("\n".join(changed) or "no difference")
        keep(name, found)


if __name__ == "__main__":
    main(sys.argv[1:])
