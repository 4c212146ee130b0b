"""Reading the notebook's data without changing it: what `notebook_tools()` is made of. Pure."""
