"""What it costs: operations, measurements, and the report of them."""
