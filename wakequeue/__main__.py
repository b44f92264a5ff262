"""`python -m wakequeue` is the command line."""

from wakequeue.cli import main

main()
