"""The remedies, the mildest first; the one list."""

from __future__ import annotations

from fallline.treatment.remedies.activation import SwapActivation
from fallline.treatment.remedies.clip import Clip
from fallline.treatment.remedies.initialise import Initialise
from fallline.treatment.remedies.learning_rate import LearningRate
from fallline.treatment.remedies.modes import Modes
from fallline.treatment.remedies.momentum import Momentum
from fallline.treatment.remedies.normalise import Normalise
from fallline.treatment.remedies.optimizer import ExchangeOptimizer
from fallline.treatment.remedies.output import MatchShapes, OutputActivation
from fallline.treatment.remedies.perturb import Perturb, Search
from fallline.treatment.remedies.register import Register
from fallline.treatment.remedies.scale import ScaleInputs, ScaleTargets
from fallline.treatment.remedies.shortcut import Shortcut
from fallline.treatment.remedies.skip_non_finite import SkipNonFinite
from fallline.treatment.remedies.skip_spikes import SkipSpikes
from fallline.treatment.remedies.zero_grad import ZeroGrad
from fallline.treatment.remedy import Remedy

REMEDIES: tuple[Remedy, ...] = (
    ZeroGrad(),
    Register(),
    SkipNonFinite(),
    SkipSpikes(),
    Modes(),
    ScaleInputs(),
    ScaleTargets(),
    MatchShapes(),
    OutputActivation(),
    LearningRate(),
    Momentum(),
    Clip(),
    Initialise(),
    Perturb(),
    Search(),
    SwapActivation(),
    Normalise(),
    Shortcut(),
    ExchangeOptimizer(),
)
BY_NAME = {remedy.name: remedy for remedy in REMEDIES}
