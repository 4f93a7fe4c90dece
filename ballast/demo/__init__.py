"""The parts of the demonstration: price paths, who takes part, and whether the books balance."""
