"""What training minimises."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def smoothed_cross_entropy(
    logits: Float[Tensor, "tokens vocab"], targets: Int[Tensor, " tokens"], smoothing: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Label-smoothed cross-entropy (Szegedy et al. 2016, section 7), summed over tokens, in nats.

    The target distribution is 1 - smoothing on the target plus smoothing spread evenly over the vocabulary.

    Returns:
        the loss to minimise, and the plain negative log-likelihood (without gradient).
    """
    log_probabilities = F.log_softmax(logits.float(), -1)
    negative_log_likelihood = -log_probabilities.gather(-1, targets.unsqueeze(-1)).sum()
    spread = -log_probabilities.mean(-1).sum()
    return (1 - smoothing) * negative_log_likelihood + smoothing * spread, negative_log_likelihood.detach()
