"""``python -m supertune`` is the command ``supertune``."""

import sys

from supertune.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
