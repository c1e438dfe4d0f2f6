"""A program's source, parsed without loss: the places in it that an edit needs, and the changes at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import libcst as cst
from libcst.metadata import (
    Assignment,
    ExpressionContext,
    ExpressionContextProvider,
    MetadataWrapper,
    QualifiedNameSource,
    ScopeProvider,
)

Node = TypeVar("Node", bound=cst.CSTNode)
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
Change = Callable[[Any], Any]  # from a node, its parts already changed, to what takes its place
LOOPS = (cst.For, cst.While)


class Unclear(Exception):  # noqa: N818 - an answer, not an error
    """There is no single right place for an edit; the message says why, in a phrase."""


class Script:
    """A source with the changes that are to be made in it.

    Raises:
        Unclear: the source is not Python.
    """

    def __init__(self, source: bytes) -> None:
        try:
            wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
        except (cst.ParserSyntaxError, UnicodeDecodeError) as error:
            raise Unclear("the file cannot be parsed") from error
        self.module = wrapper.module
        self._scopes = wrapper.resolve(ScopeProvider)
        self._contexts = wrapper.resolve(ExpressionContextProvider)
        self._nodes = list(_walk(self.module))
        self._position = {node: number for number, node in enumerate(self._nodes)}
        self._parents = {child: node for node in self._nodes for child in node.children}
        self._replaced: dict[cst.CSTNode, Change] = {}
        self._before: dict[cst.CSTNode, list[str]] = {}
        self._after: dict[cst.CSTNode, list[str]] = {}

    # -- looking ------------------------------------------------------------------------------------------------------

    def all(self, kind: type[Node], within: cst.CSTNode | None = None) -> list[Node]:
        """Every node of a class, in the order of the source."""
        nodes = self._nodes if within is None else _walk(within)
        return [node for node in nodes if isinstance(node, kind)]

    def code(self, node: cst.CSTNode) -> str:
        """The text of a node."""
        return self.module.code_for_node(node)

    def qualified(self, node: cst.CSTNode) -> str:
        """Full name of what an expression refers to by the imports, such as ``torch.optim.SGD``; "" for anything else.

        ``nn.init`` is ``torch.nn.init`` after ``from torch import nn``.
        """
        dotted = node
        while isinstance(dotted, cst.Attribute):
            dotted = dotted.value
        scope = self._scopes.get(node) if isinstance(dotted, cst.Name) else None
        names = scope.get_qualified_names_for(node) if scope is not None else ()
        found = {name.name for name in names if name.source is QualifiedNameSource.IMPORT}
        return found.pop() if len(found) == 1 else ""

    def calls(self, wanted: Callable[[str], bool]) -> list[cst.Call]:
        """Calls of what is imported under a wanted full name."""
        return [call for call in self.all(cst.Call) if wanted(self.qualified(call.func))]

    def methods(self, name: str) -> list[cst.Call]:
        """Calls of a method by its name, on whatever object."""
        calls = self.all(cst.Call)
        return [call for call in calls if isinstance(call.func, cst.Attribute) and call.func.attr.value == name]

    def parent(self, node: cst.CSTNode) -> cst.CSTNode:
        return self._parents[node]

    def above(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes that this one is part of, innermost first."""
        while node in self._parents:
            node = self._parents[node]
            yield node

    def function(self, node: cst.CSTNode) -> cst.CSTNode:
        """The function whose body this stands in, or the module."""
        return next((n for n in self.above(node) if isinstance(n, cst.FunctionDef)), self.module)

    def loops(self, node: cst.CSTNode) -> list[cst.For | cst.While]:
        """The loops around this within its function, innermost first."""
        found: list[cst.For | cst.While] = []
        for outer in self.above(node):
            if isinstance(outer, (cst.FunctionDef, cst.ClassDef)):
                break
            if isinstance(outer, LOOPS):
                found.append(outer)
        return found

    def statement(self, node: cst.CSTNode) -> Statement:
        """The statement with lines of its own that this is part of.

        Raises:
            Unclear: it shares its line with others.
        """
        for outer in (node, *self.above(node)):
            if isinstance(outer, cst.SimpleStatementSuite):
                break
            if isinstance(outer, cst.BaseCompoundStatement):
                return outer
            if isinstance(outer, cst.SimpleStatementLine):
                if len(outer.body) == 1:
                    return outer
                break
        raise Unclear(f"`{self.code(node).strip()}` shares its line with other statements")

    def assigned(self, name: cst.Name) -> cst.BaseExpression | None:
        """The value of a name that is assigned once, by a plain ``name = value``; None where it is otherwise."""
        target = self._sole_target(name)
        assign = self._parents[self._parents[target]] if target is not None else None
        return assign.value if isinstance(assign, cst.Assign) and len(assign.targets) == 1 else None

    def uses(self, name: cst.Name) -> int:
        """How often a variable is read."""
        scope = self._scopes.get(name)
        return sum(len(assignment.references) for assignment in scope[name.value]) if scope is not None else 0

    def parameter(self, name: cst.Name) -> cst.Param | None:
        """The parameter of a function that a name stands for and that nothing else is assigned to."""
        scope = self._scopes.get(name)
        found = [a.node for a in scope[name.value] if isinstance(a, Assignment)] if scope is not None else []
        return found[0] if len(found) == 1 and isinstance(found[0], cst.Param) else None

    def _sole_target(self, name: cst.Name) -> cst.CSTNode | None:
        scope = self._scopes.get(name)
        found = list(scope[name.value]) if scope is not None else []
        only = found[0] if len(found) == 1 else None
        node = only.node if isinstance(only, Assignment) else None
        return node if isinstance(node, cst.Name) and isinstance(self._parents[node], cst.AssignTarget) else None

    def assignments(self, name: str, within: cst.CSTNode | None = None) -> list[cst.Name]:
        """Where a name gets a value."""
        names = self.all(cst.Name, within)
        stored = ExpressionContext.STORE
        return [n for n in names if n.value == name and self._contexts.get(n) is stored]

    def follows(self, node: cst.CSTNode, other: cst.CSTNode) -> bool:
        """Whether a node begins after another in the text."""
        return self.position(node) > self.position(other)

    def position(self, node: cst.CSTNode) -> int:
        """A number that grows with the text."""
        return self._position[node]

    def target(self, value: cst.BaseExpression) -> str | None:
        """What the value of an expression is assigned to: the text of the one target."""
        assign = self._parents[value]
        return self.code(assign.targets[0].target) if isinstance(assign, cst.Assign) and len(
            assign.targets
        ) == 1 else None  # fmt: skip

    def spelled(self, full: str) -> str:
        """How this program writes a full name, by what it imports: ``F.relu`` for ``torch.nn.functional.relu``.

        Raises:
            Unclear: it imports nothing that leads there.
        """
        best = ""
        for local, imported in self.imports().items():
            if full == imported or full.startswith(f"{imported}."):
                text = local + full[len(imported) :]
                best = text if not best or len(text) < len(best) else best
        if not best:
            raise Unclear(f"{full.partition('.')[0]} is not imported by its name")
        return best

    def imports(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in self.module.body:
            for part in line.body if isinstance(line, cst.SimpleStatementLine) else ():
                if isinstance(part, (cst.Import, cst.ImportFrom)) and not isinstance(part.names, cst.ImportStar):
                    origin = f"{self.code(part.module)}." if isinstance(part, cst.ImportFrom) and part.module else ""
                    for alias in part.names:
                        name = alias.evaluated_name
                        local = alias.evaluated_alias or (name if origin else name.partition(".")[0])
                        found[local] = origin + (name if alias.asname or origin else local)
        return found

    # -- changing -----------------------------------------------------------------------------------------------------

    def replace(self, node: cst.CSTNode, by: str | Change) -> None:
        """Put an expression, given as text or made from the old one, in the place of a node."""
        self._replaced[node] = (lambda _: cst.parse_expression(by)) if isinstance(by, str) else by

    def remove(self, node: cst.CSTNode) -> None:
        """Take a statement away."""
        self._replaced[node] = lambda _: cst.RemoveFromParent()

    def insert_before(self, node: cst.CSTNode, *statements: str) -> None:
        """Put statements on lines of their own before the statement that a node is part of."""
        self._before.setdefault(self.statement(node), []).extend(statements)

    def insert_after(self, node: cst.CSTNode, *statements: str) -> None:
        """Put statements on lines of their own after the statement that a node is part of."""
        self._after.setdefault(self.statement(node), []).extend(statements)

    def remove_element(self, element: cst.Arg | cst.Element) -> None:
        """Take an element of a list, or an argument, away; the one before it ends the line as it did."""
        self.remove(element)
        before = self.beside(element, -1)
        if before is not None and before not in self._replaced:
            self._replaced[before] = lambda old: old.with_changes(comma=element.comma)

    def beside(self, element: cst.CSTNode, offset: int) -> cst.Arg | cst.Element | None:
        """What stands before (-1) or after (1) an element of a list or an argument."""
        outer = self.parent(element)
        if isinstance(outer, (cst.List, cst.Tuple, cst.Call)):
            items: list[Any] = list(outer.args if isinstance(outer, cst.Call) else outer.elements)
            position = items.index(element) + offset
            return items[position] if 0 <= position < len(items) else None
        return None

    def follow(self, element: cst.CSTNode, text: str) -> None:
        """Put another element after one of a list, or another argument after one of a call."""
        new = cst.parse_expression(text)
        comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))

        def change(old: Any) -> Any:
            return cst.FlattenSentinel([old.with_changes(comma=comma), type(old)(new, comma=old.comma)])

        self._replaced[element] = change

    def need(self, module: str) -> None:
        """Import a module of the standard library, in front of the other imports, unless it is there."""
        if module not in self.imports():
            first = next(
                line for line in self.module.body
                if isinstance(line, cst.SimpleStatementLine) and isinstance(line.body[0], (cst.Import, cst.ImportFrom))
                and "__future__" not in self.code(line)
            )  # fmt: skip
            self.insert_before(first, f"import {module}")

    def edited(self) -> bytes:
        """The source with the changes, in its own encoding.

        Raises:
            Unclear: nothing was changed.
        """
        done = self.module.visit(_Changes(self._replaced, self._before, self._after, self._parsed))
        assert isinstance(done, cst.Module)
        source = done.bytes
        if source == self.module.bytes:
            raise Unclear("it stands in the program already")
        return source

    def _parsed(self, statements: Sequence[str]) -> list[Statement]:
        return [cst.parse_statement(text, config=self.module.config_for_parsing) for text in statements]


class _Changes(cst.CSTTransformer):
    def __init__(
        self,
        replaced: dict[cst.CSTNode, Change],
        before: dict[cst.CSTNode, list[str]],
        after: dict[cst.CSTNode, list[str]],
        parsed: Callable[[Sequence[str]], list[Statement]],
    ) -> None:
        super().__init__()
        self.replaced, self.before, self.after, self.parsed = replaced, before, after, parsed

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        change = self.replaced.get(original_node)
        done = updated_node if change is None else change(updated_node)
        if original_node in self.before or original_node in self.after:
            before, after = (self.parsed(w.get(original_node, [])) for w in (self.before, self.after))
            return cst.FlattenSentinel([*before, done, *after])
        return done


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _walk(child)
