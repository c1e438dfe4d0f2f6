"""The checks, in the order in which a person reads them; the one list."""

from __future__ import annotations

from fallline.diagnosis.checks.bad_initialisation import BadInitialisation
from fallline.diagnosis.checks.dead_units import DeadUnits
from fallline.diagnosis.checks.exploding_gradient import ExplodingGradient
from fallline.diagnosis.checks.ill_conditioned import IllConditioned
from fallline.diagnosis.checks.learning_rate_too_high import LearningRateTooHigh
from fallline.diagnosis.checks.learning_rate_too_low import LearningRateTooLow
from fallline.diagnosis.checks.local_minimum import LocalMinimum
from fallline.diagnosis.checks.loss_spike import LossSpike
from fallline.diagnosis.checks.no_gradient import NoGradient
from fallline.diagnosis.checks.non_finite import NonFinite
from fallline.diagnosis.checks.oscillating_loss import OscillatingLoss
from fallline.diagnosis.checks.output_mismatch import OutputMismatch
from fallline.diagnosis.checks.plateau import Plateau
from fallline.diagnosis.checks.saddle_point import SaddlePoint
from fallline.diagnosis.checks.saturated_units import SaturatedUnits
from fallline.diagnosis.checks.shape_mismatch import ShapeMismatch
from fallline.diagnosis.checks.stale_gradient import StaleGradient
from fallline.diagnosis.checks.symmetric_units import SymmetricUnits
from fallline.diagnosis.checks.unscaled_data import UnscaledData
from fallline.diagnosis.checks.vanishing_gradient import VanishingGradient
from fallline.diagnosis.checks.wrong_mode import WrongMode
from fallline.diagnosis.finding import Check

CHECKS: tuple[Check, ...] = (
    NonFinite(),
    NoGradient(),
    StaleGradient(),
    ShapeMismatch(),
    OutputMismatch(),
    WrongMode(),
    UnscaledData(),
    LossSpike(),
    SymmetricUnits(),
    BadInitialisation(),
    OscillatingLoss(),
    LearningRateTooHigh(),
    ExplodingGradient(),
    DeadUnits(),
    SaturatedUnits(),
    VanishingGradient(),
    SaddlePoint(),
    LocalMinimum(),
    IllConditioned(),
    LearningRateTooLow(),
    Plateau(),
)
