"""The calls of models are held for a replay, and nothing of that shows in the models."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import copy
import io
import pickle
import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from fallline.record import names
from fallline.record.calls import MOST, PLACE, PROBES, Calls

CALL = nn.Module.__call__


@pytest.fixture
def calls() -> Iterator[Calls]:
    calls = Calls()
    end = calls.install()
    yield calls
    end()
    assert nn.Module.__call__ is CALL
    assert calls.fault == ""


def settled(calls: Calls, model: nn.Module, x: Tensor) -> None:
    """Call a model a few times, until only it is listened to."""
    for _ in range(PROBES):
        model(x)
        calls.clear()
    calls.settle()
    assert nn.Module.__call__ is CALL


@pytest.mark.parametrize("known", [False, True])
def test_what_a_model_is_called_with_is_held(calls: Calls, known: bool) -> None:
    model, x = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.ones(1, 2)
    if known:
        settled(calls, model, x)
    output = model(x)
    (call,) = calls.held  # not those of the modules within
    assert call.module is model
    assert call.args[0] is x
    caller = settled if known else test_what_a_model_is_called_with_is_held
    assert (call.version, call.known.code) == (x._version, caller.__code__)
    assert torch.equal(output, model.forward(x))
    calls.used = True
    model(x)
    assert len(calls.held) == 1
    for _ in range(MOST + 2):
        model(x)
    assert len(calls.held) == MOST
    calls.clear()
    with torch.no_grad():
        model(x)
    assert calls.held == []


def test_only_what_changes_is_copied(calls: Calls) -> None:
    plain, normed = nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    normed.register_buffer("mask", torch.ones(1000))
    x = torch.randn(4, 2)
    for model, buffers, draws in ((plain, set(), False), (normed, {"0.running_mean", "0.running_var"}, True)):
        for _ in range(PROBES):
            model(x)
        calls.clear()
        before = {name: buffer.clone() for name, buffer in model.named_buffers()}
        model(x)
        call = calls.held[-1]
        assert set(call.buffers) - {"0.num_batches_tracked"} == buffers
        assert (call.random is not None) == draws
        assert all(torch.equal(before[name], held) for name, held in call.buffers.items())


def test_a_listener_is_not_taken_along(calls: Calls) -> None:
    model, x = nn.Sequential(nn.Linear(2, 2), nn.Tanh()), torch.ones(1, 2)
    settled(calls, model, x)
    assert PLACE in vars(model)
    assert not names.is_compiled(model)
    assert PLACE not in vars(copy.deepcopy(model))
    assert PLACE not in vars(pickle.loads(pickle.dumps(model)))
    torch.save(model, io.BytesIO())
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    assert torch.equal(torch.jit.trace(model, x)(x), model(x))


def test_models_are_looked_for_again(calls: Calls) -> None:
    first, second, x = nn.Linear(2, 2), nn.Linear(2, 2), torch.ones(1, 2)
    settled(calls, first, x)
    second(x)
    assert calls.held == []
    calls.search()
    second(x)
    calls.settle()
    first(x)
    second(x)
    assert [call.module for call in calls.held] == [second, first, second]


def test_another_way_of_being_called_is_kept(calls: Calls) -> None:
    model, x = nn.Linear(2, 2), torch.ones(1, 2)
    vars(model)[PLACE] = lambda x: "compiled"
    settled(calls, model, x)
    assert model(x) == "compiled"
    assert len(calls.held) == 1
    assert names.is_compiled(model)
    calls.search()
    assert model(x) == "compiled"


@pytest.mark.parametrize("known", [False, True])
def test_a_call_that_fails(calls: Calls, known: bool) -> None:
    model, x = nn.Linear(2, 2), torch.ones(1, 2)
    if known:
        settled(calls, model, x)
    for wrong in (torch.ones(1, 3), torch.ones(1, 5)):
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            model(wrong)
        calls.clear()  # at the next update
    model(x)
    assert len(calls.held) == 1


def test_calls_of_another_thread_are_none_of_the_training(calls: Calls) -> None:
    calls.thread = threading.get_ident()
    other = threading.Thread(target=nn.Linear(2, 2), args=(torch.ones(1, 2),))
    other.start()
    other.join()
    assert calls.held == []


def test_models_are_free_to_go() -> None:
    calls = Calls()
    end = calls.install()
    model = nn.Linear(2, 2)
    settled(calls, model, torch.ones(1, 2))
    known = calls._known[id(model)].module
    del model
    assert known() is None
    end()
