"""The remedies; the one list."""

from __future__ import annotations

from fallline.treatment.remedies.accumulate import Accumulate
from fallline.treatment.remedies.activation import SwapActivation
from fallline.treatment.remedies.adaptive_clip import AdaptiveClip, ClipValue
from fallline.treatment.remedies.batch_first import BatchFirst
from fallline.treatment.remedies.biases import ForgetBias, OutputBias
from fallline.treatment.remedies.clip import Clip
from fallline.treatment.remedies.epsilon import Epsilon
from fallline.treatment.remedies.fill_missing import FillMissing
from fallline.treatment.remedies.initialise import Initialise
from fallline.treatment.remedies.insert_activation import InsertActivation
from fallline.treatment.remedies.keep_domain import KeepDomain
from fallline.treatment.remedies.keep_graph import KeepGraph
from fallline.treatment.remedies.keep_layers import KeepLayers
from fallline.treatment.remedies.learning_rate import LearningRate
from fallline.treatment.remedies.log_space import LogSpace
from fallline.treatment.remedies.loss import MatchLoss
from fallline.treatment.remedies.modes import Modes
from fallline.treatment.remedies.momentum import Momentum
from fallline.treatment.remedies.normalise import Normalise
from fallline.treatment.remedies.optimizer import ExchangeOptimizer
from fallline.treatment.remedies.output import MatchShapes, OutputActivation
from fallline.treatment.remedies.perturb import Perturb, Search
from fallline.treatment.remedies.pool_states import PoolStates
from fallline.treatment.remedies.register import Register
from fallline.treatment.remedies.revive import Revive
from fallline.treatment.remedies.rollback import Rollback
from fallline.treatment.remedies.scale import ScaleInputs, ScaleTargets
from fallline.treatment.remedies.schedule import DecayOnPlateau, HoldRate, WarmUp
from fallline.treatment.remedies.shortcut import Shortcut
from fallline.treatment.remedies.shuffle import Shuffle
from fallline.treatment.remedies.skip_non_finite import SkipNonFinite
from fallline.treatment.remedies.skip_spikes import SkipSpikes
from fallline.treatment.remedies.unit_variance import UnitVariance
from fallline.treatment.remedies.use_gradient import Unfreeze, UseGradient
from fallline.treatment.remedies.weight_decay import WeightDecay
from fallline.treatment.remedies.zero_grad import ZeroGrad
from fallline.treatment.remedy import Remedy

COMMON: tuple[Remedy, ...] = (  # the mildest first
    ZeroGrad(),
    UseGradient(),
    Register(),
    KeepLayers(),
    Unfreeze(),
    KeepGraph(),
    LogSpace(),
    KeepDomain(),
    FillMissing(),
    Epsilon(),
    SkipNonFinite(),
    SkipSpikes(),
    Shuffle(),
    Modes(),
    ScaleInputs(),
    ScaleTargets(),
    MatchShapes(),
    BatchFirst(),
    MatchLoss(),
    OutputActivation(),
    InsertActivation(),
    WeightDecay(),
    HoldRate(),
    LearningRate(),
    Momentum(),
    Clip(),
    OutputBias(),
    ForgetBias(),
    PoolStates(),
    Initialise(),
    Perturb(),
    Search(),
    SwapActivation(),
    Normalise(),
    Shortcut(),
    ExchangeOptimizer(),
)
RARE: tuple[Remedy, ...] = (  # seldom the best: tried where there is time left
    WarmUp(),
    DecayOnPlateau(),
    AdaptiveClip(),
    ClipValue(),
    Accumulate(),
    Rollback(),
    Revive(),
    UnitVariance(),
)
REMEDIES = (*COMMON, *RARE)
BY_NAME = {remedy.name: remedy for remedy in REMEDIES}
