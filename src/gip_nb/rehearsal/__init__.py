"""The embedded realtime server: real speech both ways, no model, no key, no network."""
