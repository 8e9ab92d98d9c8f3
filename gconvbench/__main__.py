"""`python -m gconvbench`."""

from gconvbench.cli import main

main()
