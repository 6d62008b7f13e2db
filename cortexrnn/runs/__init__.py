"""What was run: plans, experiments, and the archive of runs."""
