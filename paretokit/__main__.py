"""``python -m paretokit``, for places where scripts are not on the path."""

import sys

from paretokit.cli import main

if __name__ == "__main__":
    sys.exit(main())
