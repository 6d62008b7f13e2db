"""``python -m tools.accelerator``, see :mod:`tools.accelerator.call`."""

import sys

from tools.accelerator.call import main

if __name__ == "__main__":
    sys.exit(main())
