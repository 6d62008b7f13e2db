"""What the runs show: intervals, tests, and what became of predictions."""
