"""`python -m zimage_core VERB …`"""

import sys

from .cli import main

sys.exit(main())
