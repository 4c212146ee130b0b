"""The server's end of the Realtime protocol: `protocol.py` is its door, pure like all of this room."""
