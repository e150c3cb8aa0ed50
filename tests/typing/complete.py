"""Tell which public names a type checker knows only by guessing. `make types` runs it.

pyright looks at slabcore as at any installed package that says it is typed. What stands
in docs/api.md must have a type throughout, not one that checkers may infer differently.
"""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Print what is not known; return 1 if that is anything."""
    public = ["slabcore._core"]
    api = runpy.run_path(str(ROOT / "docs" / "api.py"))
    for module, _, names in api["MODULES"]:
        for name in names or api["public"](module):
            place = api["made"](module, name)[0]
            public += [f"{module}.{name}", f"{place}.{name}"]
    command = ["pyright", "--verifytypes", "slabcore", "--ignoreexternal"]
    printed = subprocess.run(
        [*command, "--outputjson"], stdout=subprocess.PIPE, text=True, check=False
    ).stdout
    symbols: list[dict[str, Any]] = json.loads(printed)["typeCompleteness"]["symbols"]
    exported = [symbol for symbol in symbols if symbol["isExported"]]
    guessed = [
        f"{symbol['name']}: {diagnostic['message']}"
        for symbol in exported
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]
        if any(f"{symbol['name']}.".startswith(f"{name}.") for name in public)
        for diagnostic in symbol["diagnostics"]
    ]
    if not exported:
        guessed.append("pyright finds no typed slabcore")
    print(*(guessed or [f"{len(exported)} names, all public ones typed"]), sep="\n")
    return int(bool(guessed))


if __name__ == "__main__":
    sys.exit(main())
