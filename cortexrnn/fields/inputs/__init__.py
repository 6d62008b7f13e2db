"""How what a caller hands in is read: by its labels and units, or refused."""
