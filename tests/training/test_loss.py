"""The contrastive loss against what it has to prefer."""

from __future__ import annotations

import math

import torch

from bindstream.training.loss import contrastive_loss


def test_loss_is_lower_for_windows_at_their_own_anchors_and_ignores_what_is_also_true() -> None:
    anchors = torch.eye(4)
    wanted = torch.tensor([0, 1])
    ignored = torch.zeros(2, 4, dtype=torch.bool)
    right = contrastive_loss(anchors[:2], anchors, wanted, ignored, 0.1)
    wrong = contrastive_loss(anchors[2:], anchors, wanted, ignored, 0.1)
    assert right < 0.1 < wrong
    between = torch.nn.functional.normalize(anchors[:2] + anchors[2:], dim=1)
    counted = contrastive_loss(between, anchors, wanted, ignored, 0.1)
    ignored[0, 2] = ignored[1, 3] = True
    assert contrastive_loss(between, anchors, wanted, ignored, 0.1) < counted


def test_loss_of_windows_that_tell_nothing_is_the_entropy_of_a_guess() -> None:
    vectors = torch.zeros(3, 8)
    wanted, ignored = torch.tensor([0, 1, 2]), torch.zeros(3, 5, dtype=torch.bool)
    found = contrastive_loss(vectors, torch.randn(5, 8), wanted, ignored, 0.05)
    assert math.isclose(float(found), math.log(5) + math.log(3), rel_tol=1e-5)
    half = contrastive_loss(vectors, torch.randn(5, 8), wanted, ignored, 0.05, back=0.5)
    assert math.isclose(float(half), math.log(5) + 0.5 * math.log(3), rel_tol=1e-5)


def test_windows_that_share_an_anchor_are_not_each_others_negatives() -> None:
    anchors = torch.eye(2)
    ignored = torch.zeros(4, 2, dtype=torch.bool)
    wanted = torch.tensor([0, 0, 1, 1])
    found = contrastive_loss(anchors[wanted], anchors, wanted, ignored, 0.01)
    assert float(found) < math.log(2) + 1e-3  # each of two may be the one, no other
