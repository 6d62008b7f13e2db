"""What is trained: priors, starts, penalties, tasks, and training itself."""
