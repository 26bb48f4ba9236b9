"""`python -m bindstream.training.starter`: makes the starter."""

import sys

from bindstream.training.starter.making import main

sys.exit(main())
