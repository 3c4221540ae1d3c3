"""`python -m evalharness`."""

import sys

from evalharness.cli.main import main

sys.exit(main())
