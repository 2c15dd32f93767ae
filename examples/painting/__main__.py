import sys

from .paint import main

sys.exit(main())
