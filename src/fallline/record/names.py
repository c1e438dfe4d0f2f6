"""Names for parameters that a program never named: found in its modules and variables."""

from __future__ import annotations

import gc
import inspect
import itertools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

from torch import Tensor, nn

from fallline.record.calls import PLACE, Listener

FRAME_LIMIT = 30  # callers looked at above the one that called backward
DEPTH = 4  # lists, dicts and objects within each other in which a tensor is looked for
MOST = 1000  # entries of a list or dict, and lists, dicts and objects, that are looked into
PART = re.compile(r"^[^.\[]+|\.[^.\[]+|\[[^\]]*\]")  # of a way from a variable to a tensor
WEIGHT = re.compile(r"(w|weights?)(_?\w{1,2})?", re.IGNORECASE)
HOLDERS = 3  # references to a frame's variables when nobody else holds them: the frame, ours, getrefcount's


def is_module(value: object) -> bool:
    """Whether ``value`` is a module, asked of its type so that lazy proxies are left alone."""
    return issubclass(type(value), nn.Module)


def caller_variables() -> Iterator[Mapping[str, Any]]:
    """Local variables of the callers outside fallline and torch, innermost first, then the globals of the program."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(FRAME_LIMIT):
        if frame is None:
            break
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in ("fallline", "torch"):
            yield _variables(frame)
        frame = frame.f_back
    yield vars(sys.modules["__main__"])


def _variables(frame: FrameType) -> Mapping[str, Any]:
    """The variables of a frame, without leaving a second reference to each of them behind.

    Before Python 3.13 a function's frame keeps the dict it was asked for, and with it every tensor, until the function
    returns. It is emptied again unless the program holds that very dict, by ``locals()``.
    """
    variables = frame.f_locals
    if sys.version_info >= (3, 13) or not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return variables
    copy = dict(variables)
    if sys.getrefcount(variables) <= HOLDERS:
        variables.clear()
    return copy


def find_modules() -> dict[str, nn.Module]:
    """The root modules of the calling program by the names of their variables."""
    found: dict[str, nn.Module] = {}
    for variables in caller_variables():
        for name, value in list(variables.items()):
            if name.startswith("__"):
                continue
            if is_module(value):
                found.setdefault(name, value)
            elif _may_hold_modules(value):
                own = object.__getattribute__(value, "__dict__")
                found |= {key: inner for key, inner in own.items() if is_module(inner) and key not in found}
    return _roots(found)


def find_all_modules() -> dict[str, nn.Module]:
    """Every root module alive in the process, by its class name; slow, for programs that keep theirs out of sight."""
    modules = [value for value in gc.get_objects() if is_module(value)]
    return _roots({f"{type(m).__name__}{n or ''}": m for n, m in enumerate(modules)})


def _may_hold_modules(value: object) -> bool:
    """Whether this is an object of the program's own, such as a trainer, with plain attributes."""
    package = str(type(value).__module__).partition(".")[0]
    if package in ("torch", "numpy", "builtins"):
        return False
    try:
        return type(object.__getattribute__(value, "__dict__")) is dict  # a proxy must not notice
    except AttributeError:
        return False


def _is_own(value: object) -> bool:
    """Whether this is an object of a class that the program defines itself, not one of a package's."""
    module = sys.modules.get(type(value).__module__)
    package = type(value).__module__.partition(".")[0]
    file = getattr(module, "__file__", None) or ""
    return package not in sys.stdlib_module_names and "-packages" not in file and _may_hold_modules(value)


def _roots(found: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Drop what is part of another one, and second names of the same."""
    inner = {id(child) for module in found.values() for child in nn.Module.modules(module) if child is not module}
    unique: dict[int, str] = {}
    for name, module in found.items():
        if id(module) not in inner and name != "self":
            unique.setdefault(id(module), name)
    for module in (found[name] for name in found if name == "self"):
        if id(module) not in inner:
            unique.setdefault(id(module), type(module).__name__)
    by_id = {id(module): module for module in found.values()}
    return {name: by_id[key] for key, name in unique.items()}


def named_leaves(roots: Mapping[str, nn.Module]) -> dict[int, tuple[str, str, bool]]:
    """For every parameter of the roots: id → (root's name, name within it, registered).

    What ``parameters()`` does not see is found too, as not registered: modules in a plain list or dict, and tensors
    that ask for a gradient and are no ``nn.Parameter``.
    """
    names: dict[int, tuple[str, str, bool]] = {}
    for root_name, root in roots.items():
        for path, module in root.named_modules():
            prefix = f"{path}." if path else ""
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    names.setdefault(id(parameter), (root_name, prefix + name, True))
    for root_name, root in roots.items():
        for path, module in root.named_modules():
            prefix = f"{path}." if path else ""
            for name, parameter in _unregistered(module):
                names.setdefault(id(parameter), (root_name, prefix + name, False))
    return names


def plain_weights(module: nn.Module) -> dict[str, Tensor]:
    """The matrices that a module calls its weights, and that are no parameters, beside a bias that is one."""
    own = [parameter for parameter in module._parameters.values() if parameter is not None]
    if not own or any(parameter.ndim > 1 for parameter in own):
        return {}
    return {
        name: value for name, value in vars(module).items()
        if WEIGHT.fullmatch(name) and issubclass(type(value), Tensor) and value.ndim > 1
        and value.is_floating_point() and value.is_leaf and not value.requires_grad
    }  # fmt: skip


def _unregistered(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, value in (vars(module) | dict(module._buffers.items())).items():
        items: list[tuple[str, Any]] = [(name, value)]
        if issubclass(type(value), (list, tuple, dict)):
            own = name in ("_parameters", "_buffers", "_modules")
            items = [] if own else _entries(name, value)[:1000]
        for label, inner in items:
            if is_module(inner) and label != name:
                yield from ((f"{label}.{path}", parameter) for path, parameter in inner.named_parameters())
            elif issubclass(type(inner), Tensor) and inner.is_leaf and inner.requires_grad:
                yield label, inner


def variable_name(tensor: Tensor) -> str | None:
    """The way to this tensor from a variable of the calling program: ``w1``, ``params[0]``, ``net.layers[2].W``."""
    return variable_names([tensor]).get(id(tensor))


def variable_names(tensors: Sequence[Tensor], deep: bool = True) -> dict[int, str]:
    """The ways to these tensors, by their ids, for those that are found.

    ``deep``: look also inside the objects that objects hold, which takes longer.
    """
    wanted = {id(tensor) for tensor in tensors}
    ways: dict[int, str] = {}
    own: dict[int, str] = {}  # from inside an object, for which there may be a better name further out
    for depth in (1, DEPTH)[: 1 + deep]:
        seen = set[int]()
        for variables in caller_variables() if wanted - set(ways) else ():
            for name, value in list(variables.items()):
                found = own if name == "self" else ways
                for way, held in _within(name, value, depth, seen) if name.isidentifier() else ():  # pytest has others
                    if id(held) in wanted:
                        found.setdefault(id(held), way)
    return own | ways


def _within(name: str, value: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    """The tensors that a variable holds in lists, dicts and objects of the program's own, with the ways to them."""
    level = [(name, value)]
    inner = set[int]() if name == "self" else seen  # what an object holds may have a name from outside, too
    for deeper in range(depth, -1, -1):
        inside: list[tuple[str, Any]] = []
        for way, held in level:
            if issubclass(type(held), Tensor):
                yield way, held
            elif deeper and id(held) not in inner and len(inner) < MOST:
                inner.add(id(held))
                inside += _parts(way, held)
        level = inside


def _parts(way: str, value: Any) -> list[tuple[str, Any]]:
    if issubclass(type(value), (list, tuple)) or type(value) is dict:
        entries = _entries(way, value)
        return entries if len(entries) < MOST else []
    if is_module(value) or not _is_own(value):
        return []
    return [(f"{way}.{key}", inner) for key, inner in list(object.__getattribute__(value, "__dict__").items())]


def _entries(way: str, value: Any) -> list[tuple[str, Any]]:
    """What a list, tuple or dict holds, with the ways to it; no method that the program wrote is called."""
    if issubclass(type(value), dict):
        items = itertools.islice(dict.items(value), MOST)
        return [(f"{way}[{_key(key)}]", inner) for key, inner in items]
    each = list.__iter__(value) if issubclass(type(value), list) else tuple.__iter__(value)
    return [(f"{way}[{place}]", inner) for place, inner in enumerate(itertools.islice(each, MOST))]


def _key(key: object) -> str:
    return repr(key) if type(key) in (str, int, float, bool, bytes) else type(key).__name__


def find_parameters(wanted: Sequence[str], deep: bool = True) -> dict[str, Tensor]:
    """Those tensors with these names (as the catalog gives them) that the calling program holds by now.

    ``deep``: look also for modules that no variable holds, which takes longer.
    """
    found: dict[str, Tensor] = {}
    for search in (find_modules, find_all_modules)[: 1 + deep]:
        for root_name, root in search().items():
            tensors: dict[str, Tensor] = dict(root.named_parameters())
            for _, (_, name, registered) in named_leaves({root_name: root}).items():
                if not registered:
                    tensors[name] = _hidden(root, name)
            for name, tensor in tensors.items():
                found.setdefault(f"{root_name}.{name}", tensor)
                found.setdefault(name, tensor)
        if all(name in found for name in wanted):
            break
    for name in wanted:
        if name not in found and (variable := find_tensor(name, leaf=True)) is not None:
            found[name] = variable
    return {name: found[name] for name in wanted if name in found}


def _hidden(root: nn.Module, name: str) -> Tensor:
    """A parameter that is not registered, by the name that ``named_leaves`` gives it."""
    by_id = {id(parameter): parameter for module in root.modules() for _, parameter in _unregistered(module)}
    key = next(key for key, (_, found, _) in named_leaves({"": root}).items() if found == name and key in by_id)
    return by_id[key]


def find_tensor(name: str, leaf: bool = False) -> Tensor | None:
    """A plain tensor by its name, as :func:`variable_name` gives it; ``leaf``: none that was computed."""
    for variables in caller_variables():
        steps = PART.findall(name)
        value = variables.get(steps[0]) if steps else None
        for step in steps[1:]:
            value = next((inner for way, inner in _parts("", value) if way == step), None)
        if isinstance(value, Tensor) and (value.is_leaf or not leaf):
            return value
    return None


def object_name(value: object) -> str | None:
    """The variable of the calling program that holds this very object."""
    for variables in caller_variables():
        for name, held in list(variables.items()):
            if held is value and not name.startswith("_"):
                return name
    return None


def is_compiled(module: nn.Module) -> bool:
    """Whether ``torch.compile`` stands between the program and this module."""
    dynamo = sys.modules.get("torch._dynamo")  # asking torch for it would import it
    called = getattr(module, PLACE, None)
    if type(called) is Listener:
        called = called.before
    return type(module) is getattr(dynamo, "OptimizedModule", ()) or called is not None
