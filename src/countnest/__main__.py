"""`python -m countnest` is the command `countnest`."""

from countnest.cli.main import main

if __name__ == "__main__":
    main()
