"""A local chain of our own, for the demonstration, the benchmarks and the tests."""
