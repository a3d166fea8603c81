"""`python -m salespro_cli`: the same as the command `salespro`."""

from salespro_cli.main import main

if __name__ == "__main__":
    main()
