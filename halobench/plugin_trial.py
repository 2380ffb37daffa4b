"""Import one module and write down what that did: `python -m halobench.plugin_trial MODULE RESULT`.

`plugins` starts it as a process of its own, which may hang or end in any way.
"""

import importlib
import json
import os
import sys
from pathlib import Path

from halobench.files import replaced
from halobench.plugins import why


def main(module: str, result: Path) -> None:
    """Write the names of all implementations that are registered after the import, or why it failed."""
    failure = ""
    try:
        importlib.import_module(module)
    except BaseException as error:  # also SystemExit: whatever is raised, it is left out
        failure = why(error)
    contract = sys.modules.get("halobench.attention.implementation")  # imports torch: only if the plug-in did
    names = contract.IMPLEMENTATIONS.registered() if contract else []
    found = {"names": names, "failure": failure}
    with replaced(result) as aside:
        aside.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
    os._exit(0)  # a thread that the import started does not keep it
