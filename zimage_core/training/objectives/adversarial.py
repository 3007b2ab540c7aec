"""DMD2's adversarial loss (arXiv 2405.14867, section 4.3): a head tells real pictures from the student's.

    L_head    = softplus(-D(real)) + softplus(D(student))
    L_student = softplus(-D(student))

the non-saturating loss of Goodfellow et al. (arXiv 1406.2661). D reads pictures that are noised to a level drawn for
each, through the middle of the fake score, which learns beside it: so it sees distributions that overlap. It holds the
student to pictures where distribution matching holds it to a teacher, and so corrects what the teacher has wrong.
"""

from torch import Tensor
from torch.nn.functional import softplus

from ..._shapes import Float


def losses_if_real(logits: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    """-log of the probability that each is real: the head's for real pictures, the student's for its own."""
    return softplus(-logits)


def losses_if_made(logits: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    """-log of the probability that each is made: the head's for the student's pictures."""
    return softplus(logits)


def with_gradient(
    losses: Float[Tensor, " b"], gradient: Float[Tensor, "b ..."], x0: Float[Tensor, "b ..."]
) -> Float[Tensor, " b"]:
    """The losses as they are, whose gradient with respect to `x0` is the one given: nothing else gets any."""
    return losses.detach() + ((x0 - x0.detach()) * gradient).flatten(1).sum(1)
