"""What the page and the cell touch: the widget, the messages over its comm, the magics."""
