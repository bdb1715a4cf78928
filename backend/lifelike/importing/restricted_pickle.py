# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads pickles as data.

A pickle is a program for a small machine that can call anything importable. Here the machine's instructions are decoded
by the standard library (`pickletools`), and carried out by a machine that cannot call: a name is looked up in a table
of inert stand-ins, and a name that is not there ends the reading. Nothing is imported.

`pickle.Unpickler` with a restricted `find_class` would keep out foreign code, but not absurd memory or time: it
believes the lengths and memo indices of a file, and puts whatever it is told to into hash tables.
`torch.load(weights_only=True)` reserves the sizes that a file states, and refuses harmless records that these files
hold. So: lengths are compared with the file (`byte_source.py`), instructions and copies are counted, and keys are
strings and small numbers.
"""

from __future__ import annotations

import codecs
import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any, cast

from attrs import define, frozen

from lifelike.importing.byte_source import ByteSource
from lifelike.importing.refusal import Refused, printable

codecs.lookup("raw-unicode-escape")  # pickletools' for some text: imported now, so that no file makes anything imported

INSTRUCTIONS_LIMIT = 1_000_000
"""The published files have some ten thousand; one that keeps optimisers too, some hundred thousand."""
INDEX_LIMIT = 1 << 31
NUMBER_LIMIT = 1 << 128
KEY_LIMIT = 1 << 60
"""Numbers below hash to themselves, so that no choice of keys makes a dictionary slow."""

NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
LITERALS = frozenset((*NUMBERS, *TEXTS, "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"))
CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
ON_STACK = ("MARK", "POP", "POP_MARK", "DUP", "MEMOIZE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "LIST", "DICT")
IN_CONTAINERS = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS")
NAMING = ("GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ", "BUILD", "BINPERSID")
IGNORED = frozenset(("PROTO", "FRAME"))


@define
class Allowance:
    """What reading one file may cost, with all pickles inside it.

    size: bytes that may be copied.
    instructions: that may be carried out; an element copied counts as one.
    """

    size: int
    instructions: int = INSTRUCTIONS_LIMIT

    def spend(self, instructions: int = 0, size: int = 0) -> None:
        """Take something off.

        Raises:
            Refused: no more is left.
        """
        self.instructions -= instructions
        self.size -= size
        if self.instructions < 0 or self.size < 0:
            raise Refused("it holds far more parts than weights have")


@frozen
class Name:
    """Something importable that a pickle names, as a stand-in. `build` makes what a call of it stands for."""

    path: str
    build: Callable[..., Any] | None = None

    def called(self, arguments: object) -> Any:
        """What calling it gives.

        Raises:
            Refused: it is nothing to be called, or not with these arguments.
        """
        if self.build is None or not isinstance(arguments, tuple):
            raise Refused(f"it is damaged: {self.path} is called in it, which is nothing to be called")
        try:
            return self.build(*arguments)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise Refused(f"it is damaged: {self.path} is given something it does not take") from error


class Rebuilt:
    """Base of stand-ins for objects whose state a pickle sets after making them."""

    def set_state(self, state: Any) -> None:
        """Take the state.

        Raises:
            Refused: it is not such an object's.
        """
        raise NotImplementedError


class RestrictedUnpickler:
    """Reads one pickle.

    Args:
        source: the pickle's bytes; read up to the end of the pickle.
        names: what may be named, by "module.name".
        allowance: what it may cost.
        persistent: what a persistent id stands for; None where there can be none.
    """

    def __init__(
        self,
        source: ByteSource,
        names: Mapping[str, Name],
        allowance: Allowance,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        self.source, self.names, self.allowance, self.persistent = source, names, allowance, persistent
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []  # the stacks below each mark
        self.memo: dict[int, Any] = {}
        self.instructions = {
            **{name: getattr(self, f"_{name.lower()}") for name in ON_STACK + IN_CONTAINERS + NAMING},
            **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), self._put),
            **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), self._get),
        }

    def load(self) -> Any:
        """The value: plain values, what `names` build, and `Name`s.

        Raises:
            Refused: it is damaged, holds something that is not in `names`, or is absurdly long.
        """
        try:
            for opcode, argument, _ in pickletools.genops(cast(IO[bytes], self.source)):
                self.allowance.spend(instructions=1)
                if opcode.name == "STOP":
                    return self._popped()
                self._carry_out(opcode.name, argument)
        except (ValueError, IndexError, KeyError, UnicodeError, OverflowError) as error:
            raise Refused("it is damaged") from error
        raise Refused("it is damaged")

    def _carry_out(self, opcode: str, argument: Any) -> None:
        if opcode in LITERALS:
            if isinstance(argument, int) and abs(argument) > NUMBER_LIMIT:
                raise Refused("it holds an absurdly large number")
            self.stack.append(argument)
        elif opcode in CONSTANTS:
            self.stack.append(CONSTANTS[opcode]())
        elif opcode in self.instructions:
            instruction = self.instructions[opcode]
            instruction() if argument is None else instruction(argument)
        elif opcode not in IGNORED:
            raise Refused(f"it holds a pickle instruction ({opcode}) that weights have no need of")

    def _popped(self) -> Any:
        return self.stack.pop()

    def _since_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.outer.pop()
        return items

    # The stack

    def _mark(self) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def _pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._since_mark()

    def _pop_mark(self) -> None:
        self._since_mark()

    def _dup(self) -> None:
        self.stack.append(self.stack[-1])

    def _put(self, index: int) -> None:
        if not 0 <= index < INDEX_LIMIT:
            raise Refused("it is damaged")
        self.memo[index] = self.stack[-1]

    def _memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    # Containers

    def _tuple(self) -> None:
        items = self._since_mark()
        self.stack.append(tuple(items))

    def _tuple1(self) -> None:
        self.stack[-1:] = [(self.stack[-1],)]

    def _tuple2(self) -> None:
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    def _tuple3(self) -> None:
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    def _list(self) -> None:
        items = self._since_mark()
        self.stack.append(items)

    def _dict(self) -> None:
        items = self._since_mark()
        self.stack.append({})
        self._fill(items)

    def _append(self) -> None:
        self._extend([self._popped()])

    def _appends(self) -> None:
        self._extend(self._since_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise Refused("it is damaged")
        target.extend(items)

    def _setitem(self) -> None:
        value, key = self._popped(), self._popped()
        self._fill([key, value])

    def _setitems(self) -> None:
        self._fill(self._since_mark())

    def _fill(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise Refused("it is damaged")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[checked_key(key)] = value

    def _additems(self) -> None:
        items = self._since_mark()
        target = self.stack[-1]
        if type(target) is not set:
            raise Refused("it is damaged")
        target.update(map(checked_key, items))

    # Names, and what they stand for

    def _global(self, pair: str) -> None:
        self.stack.append(self._named(*pair.split(" ", 1)))

    def _stack_global(self) -> None:
        name, module = self._popped(), self._popped()
        self.stack.append(self._named(module, name))

    def _named(self, module: object, name: object) -> Name:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise Refused("it is damaged")
        path = f"{module}.{name}"
        if path not in self.names:
            raise Refused(
                f"it names {printable(path)}, which weights have no need of",
                "Do not open this file with other programs; get the weights from where they were published.",
            )
        return self.names[path]

    def _reduce(self) -> None:
        arguments, called = self._popped(), self._popped()
        if not isinstance(called, Name):
            raise Refused("it is damaged")
        self.stack.append(called.called(arguments))

    _newobj = _reduce  # cls.__new__(cls, *arguments): for a stand-in the same

    def _build(self) -> None:
        state, target = self._popped(), self.stack[-1]
        if isinstance(target, Rebuilt):
            target.set_state(state)
        elif not isinstance(target, dict):  # a dictionary's attributes, such as a state dict's versions, are not needed
            raise Refused("it is damaged")

    def _binpersid(self) -> None:
        identifier = self._popped()
        if self.persistent is None:
            raise Refused("it refers to something outside itself")
        self.stack.append(self.persistent(identifier))


def checked_key(key: Any) -> Any:
    """`key`, if it may stand in a hash table.

    Raises:
        Refused: it is another thing than a string or a small number.
    """
    if isinstance(key, (str, bytes)) or key is None or (isinstance(key, int) and abs(key) < KEY_LIMIT):
        return key
    raise Refused("it holds a dictionary with unusual keys")
