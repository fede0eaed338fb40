"""Every figure that the README claims: `make bench` prints a table and writes `bench/results.json`."""
