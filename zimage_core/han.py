"""Which letters are Chinese."""

import re

HAN = re.compile("[\u4e00-\u9fff]")  # a character of the block that Chinese prompts are written in
