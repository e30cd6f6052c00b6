"""What guest code can name: builtins, and modules of which it sees chosen names only.

A real module leads to others (`re.enum.sys.modules`), so guests import stand-ins that hold
functions and classes of the module and nothing else. Left out are names that turn texts into code
or attributes: `operator.attrgetter`, `string.Formatter`, `functools.singledispatch`, the whole of
`dataclasses`. Types of `typing` say nothing, since `class Meta(typing.Type)` is a metaclass. Flags
of `re` are integers, since their class makes classes.
"""

from __future__ import annotations

import builtins
import collections.abc
import importlib
import re
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


BUILTINS = words(
    "abs all any ascii bin bool bytearray bytes callable chr classmethod complex dict divmod "
    "enumerate filter float format frozenset hash hex id int isinstance "
    "issubclass iter len list map max min next object oct ord pow print property range repr "
    "reversed round set slice sorted staticmethod str sum super tuple zip "
    "NotImplemented Ellipsis __build_class__"
)
"""Builtins besides exceptions, and those that `guest_builtins` replaces."""

METHODS = frozenset(
    f"__{name}__"
    for name in words(
        "init new repr str bytes format lt le eq ne gt ge hash bool len length_hint getitem "
        "setitem delitem missing iter next reversed contains add sub mul matmul truediv floordiv "
        "mod divmod pow lshift rshift and xor or radd rsub rmul rmatmul rtruediv rfloordiv rmod "
        "rdivmod rpow rlshift rrshift rand rxor ror iadd isub imul imatmul itruediv ifloordiv imod "
        "ipow ilshift irshift iand ixor ior neg pos abs invert complex int float index round trunc "
        "floor ceil enter exit call post_init copy deepcopy"
    )
)
"""Methods of operators: they may be defined and called by name."""
_READABLE = METHODS | {"__name__", "__doc__"}
_REFUSED_ATTRIBUTES = words(
    "mro tb_frame tb_next tb_lasti tb_lineno gi_frame gi_code gi_yieldfrom gi_running "
    "gi_suspended cr_frame cr_code cr_await cr_origin cr_running ag_frame ag_code ag_await f_back "
    "f_builtins f_code f_globals f_locals f_trace f_lineno func_globals func_code with_traceback "
    "format_map"
)
"""Attributes that lead to frames, code and namespaces."""


def is_dunder(name: str) -> bool:
    """Whether a name has two underscores on both sides."""
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def attribute_reason(name: str) -> str:
    """Why an attribute cannot be reached, or nothing."""
    if name == "format":
        return "format is allowed only on a text that is written out; use an f-string"
    refused = is_dunder(name) and name not in _READABLE
    return f"the attribute {name} is not allowed" if refused or name in _REFUSED_ATTRIBUTES else ""


_LISTED = {
    "abc": "ABC abstractmethod",
    "collections": "ChainMap Counter OrderedDict UserDict UserList UserString abc defaultdict "
    "deque namedtuple",
    "copy": "copy deepcopy",
    "decimal": "Decimal Context getcontext localcontext InvalidOperation DivisionByZero Inexact "
    "Rounded ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP "
    "ROUND_UP ROUND_05UP",
    "functools": "cache cmp_to_key lru_cache partial reduce total_ordering wraps",
    "json": "dumps loads",
    "numbers": "Number Complex Real Rational Integral",
    "random": "random randint randrange choice choices shuffle sample uniform gauss seed",
    "re": "compile match fullmatch search findall finditer split sub subn escape purge error "
    "Pattern Match A I L M S U X ASCII IGNORECASE LOCALE MULTILINE DOTALL UNICODE VERBOSE NOFLAG",
    "string": "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits "
    "printable punctuation whitespace Template",
    "sys": "getrecursionlimit maxsize setrecursionlimit",
    "textwrap": "TextWrapper dedent fill indent shorten wrap",
    "typing": "Any AnyStr Callable ClassVar Collection Container Counter DefaultDict Deque Dict "
    "Final FrozenSet Generator Hashable Iterable Iterator List Literal Mapping Match "
    "MutableMapping MutableSequence MutableSet NoReturn Optional OrderedDict Pattern "
    "Reversible Sequence Set Sized Text Tuple Type TypeVar Union cast",
    "unicodedata": "category combining normalize name lookup numeric decimal digit",
}
_WHOLE = ("bisect", "cmath", "fractions", "heapq", "itertools", "math", "operator", "statistics")
"""Modules all of whose public names may be used."""
_LEFT_OUT = {"operator": {"attrgetter", "methodcaller", "call"}}
_FUTURE = "annotations division print_function unicode_literals absolute_import generators"


def _public(name: str) -> frozenset[str]:
    """The public names of a module that are no modules themselves."""
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    values = {n for n in names if not isinstance(getattr(module, n), ModuleType)}
    return frozenset(values) - _LEFT_OUT.get(name, set())


MODULES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **{name: words(text) for name, text in _LISTED.items()},
        **{name: _public(name) for name in _WHOLE},
        "collections.abc": frozenset(collections.abc.__all__),
        "__future__": words(_FUTURE),
    }
)
"""Modules that guest code may import, with the names that it sees of them."""


def stand_ins() -> dict[str, ModuleType]:
    """The modules as guest code sees them, by name."""
    modules = {}
    for name, names in MODULES.items():
        real = importlib.import_module(name)
        module = ModuleType(name)
        for attribute in sorted(names & set(dir(real))):
            value = getattr(real, attribute)
            module.__dict__[attribute] = int(value) if isinstance(value, re.RegexFlag) else value
        modules[name] = module
    modules["collections"].__dict__["abc"] = modules["collections.abc"]
    modules["functools"].__dict__["wraps"] = _wraps
    modules["typing"].__dict__.update(
        {name: _CONTAINERS.get(name, _Hint()) for name in MODULES["typing"]}, cast=_cast
    )
    return modules


def guest_builtins(modules: Mapping[str, ModuleType]) -> dict[str, Any]:
    """The builtins of guest code, which imports the given modules."""

    def import_(
        name: str, space: Any = None, local: Any = None, names: Any = (), level: int = 0
    ) -> ModuleType:
        if level or name not in modules:
            raise ImportError(f"the module {name} cannot be imported")
        return modules[name if names else name.partition(".")[0]]

    return {
        **{name: getattr(builtins, name) for name in BUILTINS if hasattr(builtins, name)},
        **_EXCEPTIONS,
        "getattr": _getattr,
        "hasattr": _hasattr,
        "setattr": _setattr,
        "type": _type,
        "__import__": import_,
    }


_EXCEPTIONS = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}


def _getattr(value: Any, name: str, /, *default: Any) -> Any:
    """As the builtin, for attributes that may be written out."""
    return getattr(value, _attribute(name), *default)


def _hasattr(value: Any, name: str, /) -> bool:
    return hasattr(value, _attribute(name))


def _setattr(value: Any, name: str, item: Any, /) -> None:
    setattr(value, _attribute(name), item)


def _attribute(name: str) -> str:
    """The name itself. Raises TypeError for texts that only claim to be one."""
    if type(name) is not str:
        raise TypeError("the attribute's name must be a text")
    if reason := attribute_reason(name):
        raise TypeError(reason)
    return name


def _type(value: object, /) -> type:
    """The type of a value that is no class: the type of a class makes classes of any content."""
    kind = type(value)
    if issubclass(kind, type):
        raise TypeError("the type of a class cannot be had here")
    return kind


_CONTAINERS = {
    "Counter": collections.Counter,
    "DefaultDict": collections.defaultdict,
    "Deque": collections.deque,
    "OrderedDict": collections.OrderedDict,
}
"""Names of `typing` that honest code calls, as what they make."""


class _Hint:
    """What annotations may be made of: parts, alternatives and names of types, all the same."""

    __slots__ = ()

    def __getitem__(self, parts: object) -> _Hint:
        return self

    def __call__(self, *arguments: object, **options: object) -> _Hint:
        return self

    def __or__(self, other: object) -> _Hint:
        return self

    __ror__ = __or__


def _cast(hint: object, value: Any) -> Any:
    return value


def _wraps(wrapped: Any) -> Any:
    """As functools.wraps, for the usual attributes only: others would be read by any name."""
    from functools import WRAPPER_ASSIGNMENTS, update_wrapper

    def decorate(wrapper: Any) -> Any:
        return update_wrapper(wrapper, wrapped, WRAPPER_ASSIGNMENTS, ())

    return decorate
