"""What builds and checks the book; run from the repository, not installed."""
