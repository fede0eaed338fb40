"""What drives programs of others from the package registries, each unmodified but for the address."""
