"""One call for the day on which a machine with an accelerator is at hand."""
