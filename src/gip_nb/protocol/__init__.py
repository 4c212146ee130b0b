"""The Realtime protocol, both ends and both dialects, without I/O."""
