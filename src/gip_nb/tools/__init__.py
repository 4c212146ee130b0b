"""Your functions as the model's tools. Pure but for the call itself, which session/ makes beside its loop."""

from gip_nb.tools.call import Call, Called
from gip_nb.tools.cancellation import tool_cancelled
from gip_nb.tools.toolbox import Toolbox, Tools, tool, toolbox_of

__all__ = ["Call", "Called", "Toolbox", "Tools", "tool", "tool_cancelled", "toolbox_of"]
