"""What `gip_nb.doctor()` does: gather facts about this place, judge them, say it in words."""
