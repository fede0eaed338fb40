"""`python -m journeys`."""

from journeys.cli import main

if __name__ == "__main__":
    main()
