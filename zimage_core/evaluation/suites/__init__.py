"""Every suite under the name the command line takes."""

from ..case import Suite
from .cvtg_2k import CVTG_2K
from .dpg import DPG
from .geneval import GENEVAL
from .geneval2 import GENEVAL2
from .longtext import LONGTEXT, LONGTEXT_ZH
from .oneig import (
    ONEIG_ALIGNMENT,
    ONEIG_ALIGNMENT_ZH,
    ONEIG_DIVERSITY,
    ONEIG_DIVERSITY_ZH,
    ONEIG_REASONING,
    ONEIG_REASONING_ZH,
    ONEIG_STYLE,
    ONEIG_STYLE_ZH,
    ONEIG_TEXT,
    ONEIG_TEXT_ZH,
)
from .prism import PRISM, PRISM_ZH
from .tiif import TIIF_LONG, TIIF_SHORT, TIIF_TEXT_LONG, TIIF_TEXT_SHORT

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        CVTG_2K,
        LONGTEXT,
        LONGTEXT_ZH,
        ONEIG_TEXT,
        ONEIG_TEXT_ZH,
        ONEIG_ALIGNMENT,
        ONEIG_ALIGNMENT_ZH,
        ONEIG_DIVERSITY,
        ONEIG_DIVERSITY_ZH,
        ONEIG_REASONING,
        ONEIG_REASONING_ZH,
        ONEIG_STYLE,
        ONEIG_STYLE_ZH,
        GENEVAL,
        GENEVAL2,
        DPG,
        TIIF_SHORT,
        TIIF_LONG,
        TIIF_TEXT_SHORT,
        TIIF_TEXT_LONG,
        PRISM,
        PRISM_ZH,
    )
}
