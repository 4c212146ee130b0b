"""How a session's tables become pictures; the door is `gip_nb.journal.plots`."""
