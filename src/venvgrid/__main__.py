"""`python -m venvgrid`."""

import sys

from venvgrid.cli.main import main

sys.exit(main())
