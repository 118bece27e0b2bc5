"""Muon in single precision: momentum whose matrices are made nearly orthogonal before each step.

``torch.optim.Muon`` computes in bfloat16, which CPUs without bfloat16 arithmetic only emulate: it then takes
longer than the rest of the training step. Matrices of one shape are handled together here.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# Polar Express (arXiv 2505.16932): the polynomials that orthogonalise best in four steps.
COEFFICIENTS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
)


def orthogonalised(stack: Tensor) -> Tensor:
    """Return the nearest orthogonal matrices, approximately, of a stack (n, rows, columns)."""
    is_tall = stack.shape[1] > stack.shape[2]
    x = stack.transpose(1, 2) if is_tall else stack
    x = x / (x.norm(dim=(1, 2), keepdim=True) * 1.01 + 1e-7)
    for a, b, c in COEFFICIENTS:
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.transpose(1, 2) if is_tall else x
    return result


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised per matrix, with decoupled weight decay."""

    def __init__(
        self, matrices: Iterable[Tensor], lr: float, *, momentum: float = 0.95, weight_decay: float = 0.1
    ) -> None:
        """Update `matrices`, all two-dimensional, with learning rate `lr`."""
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update all matrices from their gradients."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for matrix in group["params"]:
                by_shape.setdefault(matrix.shape, []).append(matrix)
            for shape, matrices in by_shape.items():
                scale = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                updates = orthogonalised(torch.stack([self._nesterov(m, group["momentum"]) for m in matrices]))
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=scale)

    def _nesterov(self, matrix: Tensor, momentum: float) -> Tensor:
        """Update the running mean of the matrix's gradient and look one step ahead."""
        state = self.state[matrix]
        if not state:
            state["mean"] = torch.zeros_like(matrix)
        gradient = matrix.grad
        if gradient is None:
            raise ValueError("Muon: a matrix has no gradient; call backward() before step().")
        mean: Tensor = state["mean"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(mean, momentum)
