"""Rounds of curation: draw concepts, score, find the worst, propose pictures for them; see whether they got better."""

from .concepts import Concept, read_concepts
from .coverage import coverage_of
from .drawn import Drawn, RoundIdentity, draw_round, read_drawn
from .in_memory import concepts_in, hits_of
from .needs import Change, Need, changes, needs_of
from .proposal import PROPOSAL, accepted, propose, write_accepted, write_proposal
from .proposal_page import PAGE, write_proposal_page

__all__ = [
    "PAGE",
    "PROPOSAL",
    "Change",
    "Concept",
    "Drawn",
    "Need",
    "RoundIdentity",
    "accepted",
    "changes",
    "concepts_in",
    "coverage_of",
    "draw_round",
    "hits_of",
    "needs_of",
    "propose",
    "read_concepts",
    "read_drawn",
    "write_accepted",
    "write_proposal",
    "write_proposal_page",
]
