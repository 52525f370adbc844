"""The command `countnest`."""
