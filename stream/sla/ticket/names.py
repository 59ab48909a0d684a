"""The words of a stored ticket: names that a state is full of, as a few bytes that are made once for all tickets alike.

Which fields a ticket has, and on which rows, policies and calendars its parts lie, is the same for many tickets. So these
names stand together, apart from the numbers that differ: the *frame* of a ticket, and the list of names of its fields. Both
are looked up rather than read or written. Within them, words that everybody uses are numbers of ``WORDS``.
"""

from __future__ import annotations

from typing import Final

import msgspec

WORDS: Final = (
    "status",
    "priority",
    "category",
    "channel",
    "customer",
    "contract",
    "team",
    "assignee",
    "tags",
    "type",
    "product",
    "review",
    "@begun",
    "@answered",
    "@waiting",
    "@accepted",
    "@dependency",
    "first_response",
    "next_response",
    "periodic_update",
    "pausable_update",
    "requester_wait",
    "agent_work",
    "first_resolution",
    "resolution",
    "ownership",
    "customer_silence",
    "24x7",
)
"""Part of form 2, as they are and in this order: another list is another form."""
_NUMBERS: Final = {word: number for number, word in enumerate(WORDS)}

Names = tuple[str, ...]
CommitmentKey = tuple[str, str, int, str, str, bool, int | None]
"""Of a commitment: its name, its policy and version, its row, its calendar, whether it counts business time, its target."""
LadderKey = tuple[str, str, int, str]
"""Of a ladder: its name, its policy and version, its row."""
StateKeys = tuple[Names, tuple[CommitmentKey, ...], tuple[LadderKey, ...]]
"""Names of the stopwatches, then what is fixed of the commitments and of the ladders."""
Promised = tuple[str, str, int, int]
"""Of a commitment with a target: its name and its policy, its number, and that of its stopwatch."""
_StoredKeys = tuple[
    list[str],
    list[int],
    list[tuple[int, int, int, int | None, int, bool, int | None]],
    list[tuple[int, int, int, int | None]],
]

_MOST: Final = 10_000
"""Lists and frames that are remembered; a helpdesk has hundreds."""
_write: Final = msgspec.msgpack.Encoder().encode
_read_names: Final = msgspec.msgpack.Decoder(list[int | str]).decode
_read_keys: Final = msgspec.msgpack.Decoder(_StoredKeys).decode

_bytes_of_names: Final[dict[Names, bytes]] = {}
_names_of_bytes: Final[dict[bytes, Names]] = {}
_bytes_of_keys: Final[dict[StateKeys, bytes]] = {}
_keys_of_bytes: Final[dict[bytes, StateKeys]] = {}
_promised_of_bytes: Final[dict[bytes, tuple[Promised, ...]]] = {}


def clear_caches() -> None:
    """Let go of what is remembered; it is found again."""
    _bytes_of_names.clear()
    _names_of_bytes.clear()
    _bytes_of_keys.clear()
    _keys_of_bytes.clear()
    _promised_of_bytes.clear()


def pack_names(names: Names) -> bytes:
    """Names of fields, in their order."""
    data = _bytes_of_names.get(names)
    if data is None:
        data = _write([_NUMBERS.get(name, name) for name in names])
        if len(_bytes_of_names) >= _MOST:
            clear_caches()
        _bytes_of_names[names] = data
    return data


def unpack_names(data: bytes) -> Names:
    """Raises msgspec.DecodeError and IndexError."""
    names = _names_of_bytes.get(data)
    if names is None:
        names = tuple([WORDS[name] if isinstance(name, int) else name for name in _read_names(data)])
        if len(_names_of_bytes) >= _MOST:
            clear_caches()
        _names_of_bytes[data] = names
    return names


def pack_keys(keys: StateKeys) -> bytes:
    """Each name stands once, whatever refers to it; a row that is called after its policy and its ladder not at all."""
    data = _bytes_of_keys.get(keys)
    if data is None:
        data = _write(_numbered(keys))
        if len(_bytes_of_keys) >= _MOST:
            clear_caches()
        _bytes_of_keys[keys] = data
    return data


def _numbered(keys: StateKeys) -> _StoredKeys:
    numbers = _NUMBERS.copy()

    def number(word: str) -> int:
        return numbers.setdefault(word, len(numbers))

    watches, commitments, ladders = keys
    terms: list[tuple[int, int, int, int | None, int, bool, int | None]] = []
    commitment_status: list[tuple[int, int, int, int | None]] = []
    for name, policy, version, metric, calendar, business, target in commitments:
        its = None if metric == f"{policy}/{name}" else number(metric)
        terms.append((number(name), number(policy), version, its, number(calendar), business, target))
    for name, policy, version, metric in ladders:
        commitment_status.append(
            (number(name), number(policy), version, None if metric == f"{policy}/{name}" else number(metric))
        )
    called = {f"{policy}/{name}": at for at, (name, policy, *_) in enumerate(ladders)}
    # A stopwatch of a ladder alone is called after it as well: minus one, minus two ... for the first ladder, the second ...
    metrics = [-1 - called[watch] if watch in called else number(watch) for watch in watches]
    return list(numbers)[len(WORDS) :], metrics, terms, commitment_status


def unpack_keys(data: bytes) -> StateKeys:
    """Raises msgspec.DecodeError and IndexError."""
    keys = _keys_of_bytes.get(data)
    if keys is None:
        keys = _named(_read_keys(data))
        if len(_keys_of_bytes) >= _MOST:
            clear_caches()
        _keys_of_bytes[data] = keys
    return keys


def promised(data: bytes) -> tuple[Promised, ...]:
    """What of a packed frame may be open. Raises msgspec.DecodeError and IndexError."""
    found = _promised_of_bytes.get(data)
    if found is None:
        metrics, commitments, _ = unpack_keys(data)
        found = tuple(
            [
                (name, policy, number, metrics.index(metric))
                for number, (name, policy, _, metric, _, _, target) in enumerate(commitments)
                if target is not None and metric in metrics
            ]
        )
        _promised_of_bytes[data] = found
    return found


def _named(stored: _StoredKeys) -> StateKeys:
    own, metrics, commitments, ladders = stored
    words = (*WORDS, *own)
    terms: list[CommitmentKey] = []
    commitment_status: list[LadderKey] = []
    for name, policy, version, metric, calendar, business, target in commitments:
        its = f"{words[policy]}/{words[name]}" if metric is None else words[metric]
        terms.append((words[name], words[policy], version, its, words[calendar], business, target))
    for name, policy, version, metric in ladders:
        its = f"{words[policy]}/{words[name]}" if metric is None else words[metric]
        commitment_status.append((words[name], words[policy], version, its))
    watches = [
        words[metric] if metric >= 0 else f"{commitment_status[-1 - metric][1]}/{commitment_status[-1 - metric][0]}"
        for metric in metrics
    ]
    return tuple(watches), tuple(terms), tuple(commitment_status)
