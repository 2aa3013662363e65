"""`python -m venvgrid`."""

import sys

from venvgrid.cli import main

sys.exit(main())
