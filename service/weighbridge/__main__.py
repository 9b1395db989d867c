"""`python -m weighbridge` is the command line."""

from weighbridge.cli.main import main

main()
