"""Your functions as the model's tools. Pure but for the call itself, which session/ makes beside its loop."""

from gip_nb.tools.toolbox import Called, Toolbox, Tools, tool

__all__ = ["Called", "Toolbox", "Tools", "tool"]
