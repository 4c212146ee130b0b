"""What happened: the event log and the tables made from it. Nothing here interprets before it has written."""
