"""``python -m paretokit.cli``, for places where scripts are not on the path."""

import sys

from paretokit.cli import main

sys.exit(main())
