"""countnest."""
