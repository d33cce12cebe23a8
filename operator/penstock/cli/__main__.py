"""`python -m penstock.cli`, where no script is installed: in the operator's image."""

import sys

from penstock.cli import main

sys.exit(main())
