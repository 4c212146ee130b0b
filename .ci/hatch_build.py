"""Build hook: a package without its page bundle is never built, and the wheel gets the tutorial notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLE = ("src/gip_nb/notebook/static/widget.js", "src/gip_nb/notebook/static/widget.css")
TUTORIAL = ("notebooks/01_talk.ipynb", "gip_nb/notebooks/01_talk.ipynb")


class BundleHook(BuildHookInterface[Any]):
    """Stops a wheel or sdist whose bundle is missing or empty; leaves editable installs alone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Check the bundle and add the tutorial.

        Args:
            version: hatchling's word for the kind of build; "editable" installs run from the sources, where
                the bundle may be built later.
            build_data: hatchling's build data; `force_include` is extended for wheels.

        Raises:
            FileNotFoundError: a file of the bundle is not there or is empty.
        """
        if version == "editable":
            return
        root = Path(self.root)
        missing = [name for name in BUNDLE if not (root / name).is_file() or not (root / name).stat().st_size]
        if missing:
            message = (
                f"the page bundle is not built: {' and '.join(missing)} missing or empty.\n"
                "Run `make js` (or `npm ci && npm run build` in js/), then build again."
            )
            raise FileNotFoundError(message)
        if self.target_name == "wheel":
            source, target = TUTORIAL
            build_data["force_include"][str(root / source)] = target
