"""What was measured: fields of cortex, their relations, and where they come from."""
