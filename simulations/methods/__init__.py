"""Meta-learning methods, one per file: a file of this folder is registered by being here, under its own name."""

from __future__ import annotations

import importlib
import pkgutil

METHODS = {
    module.name: importlib.import_module(f"{__name__}.{module.name}").METHOD
    for module in pkgutil.iter_modules(__path__)
    if not module.name.startswith("_")
}
