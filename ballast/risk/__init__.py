"""Risk engines in exact integers: what the contracts answer, to the wei."""
