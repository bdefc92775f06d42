"""What can be changed in a source to see whether a test notices: one small fault at a time.

Compared, added, joined, returned and constant values, calls that are left out, arguments that are not passed, and the
same inside of SQL. Sentences for people, docstrings, annotations and asserts stay as they are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

_SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.And: (ast.Or,), ast.Or: (ast.And,),
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.FloorDiv,), ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,), ast.BitOr: (ast.BitAnd,), ast.Continue: (ast.Break,),
}  # fmt: skip
_SQL = re.compile(r"\b(SELECT|UPDATE|INSERT|DELETE|WHERE|AND|ORDER BY|RETURNING|ON CONFLICT|SAVEPOINT)\b")
_SQL_SWAPS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<![<>])<(?![=>])", "<="), (r"(?<![<>])>(?![=>])", ">="), (r"<=", "<"), (r">=", ">"),
        (r"(?<![<>!])= ", "<> "), (r"<> ", "= "), (r"\bAND\b(?! :)", "OR"), (r"\bOR\b", "AND"),
        (r" AND (?!:)[^()]+?(?= AND (?!:)| ORDER | RETURNING| LIMIT|$)", ""), (r"\bIS NULL", "IS NOT NULL"),
        (r"\bIS NOT NULL", "IS NULL"), (r"(?<!NOT) (IN|EXISTS) ?\(", r" NOT \1 ("), (r"\bNOT EXISTS", "EXISTS"),
        (r" DESC\b", ""), (r"\bmax\(", "min("), (r"\bmin\(", "max("), (r"\+ (?=[1-9])", "- "),
        (r"\b0\b", "1"), (r"(?<!LIMIT )(?<!SELECT )\b1\b", "2"), (r"'(\w+)'", r"'\1x'"), (r" LIMIT :\w+", ""),
    )
]  # fmt: skip


class Mutant(NamedTuple):
    number: int  # in its source
    lines: range  # of the statement
    function: str  # "Writer.close"; "" where the fault takes effect at import
    name: str  # function: before → after


class _Place(NamedTuple):
    node: Any
    statement: ast.stmt
    owner: str
    inside: bool  # in a function's body, whose code can be exchanged


def mutants(source: str) -> list[Mutant]:
    """All faults that can be put into a source; two of the same name in one function are told apart by `#2`."""
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for number, (place, after, _) in enumerate(_edits(ast.parse(source))):
        change = after if "[" in after else f"{_short(place.node)} → {after}"
        name = f"{place.owner or 'module'}: {change}"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name += f" #{seen[name]}"
        found.append(Mutant(number, _lines(place.statement), place.owner if place.inside else "", name))
    return found


def mutated(source: str, number: int) -> ast.Module:
    tree = ast.parse(source)
    for index, (_, _, change) in enumerate(_edits(tree)):
        if index == number:
            change()
            return ast.fix_missing_locations(tree)
    raise IndexError(number)


def _lines(statement: ast.stmt) -> range:
    body = getattr(statement, "body", None)
    end = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(end, statement.lineno) + 1)


def _edits(tree: ast.Module) -> Iterator[tuple[_Place, str, Callable[[], object]]]:
    for place in _places(tree, tree.body[0], "", False):
        for after, change in _changes(place.node):
            yield place, after, change


def _places(node: ast.AST, statement: ast.stmt, owner: str, inside: bool) -> Iterator[_Place]:
    """Every node that may be changed, with the function it belongs to."""
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or field in {"annotation", "returns", "decorator_list"} or _stays(child):
                continue
            at = child if isinstance(child, ast.stmt) else statement
            name, within = owner, inside or (isinstance(node, ast.FunctionDef) and field == "body")
            if isinstance(child, ast.FunctionDef | ast.ClassDef) and not inside:
                name = f"{owner}.{child.name}" if owner else child.name
            yield _Place(child, at, name, within)
            yield from _places(child, at, name, within)


def _stays(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return True
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
        return True
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(one.value) for one in node.values if isinstance(one, ast.Constant))
        return " " in text and not _SQL.search(text)
    return isinstance(node, ast.Assert | ast.Import | ast.ImportFrom | ast.FormattedValue | ast.Slice)


def _changes(node: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    """What can be made of a node: the change in a word, and how it is done."""
    match node:
        case ast.Compare() | ast.BoolOp() | ast.BinOp() | ast.AugAssign():
            yield from _operators(node)
        case ast.UnaryOp(op=ast.Not()):
            yield "no not", partial(_become, node, node.operand)
        case ast.Constant():
            yield from ((after, partial(setattr, node, "value", value)) for after, value in _constants(node.value))
        case ast.Call() if not _is_statement(node):
            named = ((index, keyword.arg) for index, keyword in enumerate(node.keywords) if keyword.arg)
            yield from ((f"without {name}", partial(node.keywords.pop, index)) for index, name in named)
        case ast.stmt() | ast.IfExp():
            yield from _other_ways(node)


def _operators(node: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in _SWAPS[type(operator)]:
                yield other.__name__, partial(node.ops.__setitem__, index, other())
    else:
        for other in _SWAPS.get(type(node.op), ()):
            yield other.__name__, partial(setattr, node, "op", other())


def _other_ways(node: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    """Another way through the code: the other branch, nothing done, nothing returned."""
    match node:
        case ast.If() | ast.While() | ast.IfExp() if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield "not", partial(setattr, node, "test", ast.UnaryOp(ast.Not(), node.test))
        case ast.Return(value=ast.AST() as value) if not isinstance(value, ast.Constant):
            yield "return None", partial(setattr, node, "value", ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.Continue() | ast.Raise():
            yield "pass", partial(_become, node, ast.Pass())


def _is_statement(call: ast.Call) -> bool:
    """Whether SQL is run: a named value that is missing is noticed by any test, and says nothing about it."""
    return isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) and call.func.value.id == "db"


def _constants(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, bool):
        yield str(not value), not value
    elif isinstance(value, int):
        yield str(value + 1), value + 1
    elif isinstance(value, str) and _SQL.search(value):
        yield from _statements(value)
    elif isinstance(value, str) and " " not in value:
        yield repr("XX" + value), "XX" + value


def _statements(sql: str) -> Iterator[tuple[str, str]]:
    """Each SQL with one fault, and the words around that."""
    for pattern, replacement in _SQL_SWAPS:
        for found in pattern.finditer(sql):
            if found[0] == "= " and "UPDATE" in sql and found.start() < sql.find("WHERE"):
                continue  # what is set, not what is compared
            left, right = sql[: found.start()], sql[found.end() :]
            new = found.expand(replacement)
            yield f"{left[-30:]}[{found[0]} → {new}]{right[:20]}", left + new + right


def _become(node: Any, other: ast.AST) -> None:
    place = {name: getattr(node, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
    node.__class__ = other.__class__
    node.__dict__.clear()
    node.__dict__.update({**place, **other.__dict__})


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else text[:97] + "…"
