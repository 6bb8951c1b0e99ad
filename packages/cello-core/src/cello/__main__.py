"""`python -m cello`: the command line."""

from cello._cli import main

main()
