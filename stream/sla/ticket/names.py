"""The words of a stored ticket: names that a state is full of, as a few bytes that are made once for all tickets alike.

Which fields a ticket has, and on which metrics, policies and calendars its parts lie, is the same for many tickets. So these
names stand together, apart from the numbers that differ: the *frame* of a ticket, and the list of names of its fields. Both
are looked up rather than read or written. Within them, words that everybody uses are numbers of ``WORDS``.

A metric that a policy file writes is called ``base#digest`` (``stream.sla.policy.metric.metric_name``). Its base is a word like
any other, or the name of a policy and a ladder that the frame has anyway; its digest is three bytes.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.sla.policy.terms import CommitmentTerms, EscalationTerms

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
"""Part of form 2, as they are and in this order: another list is another form. New metrics and fields are not added here: a
name that is not in this list is stored as text."""
_NUMBERS: Final = {word: number for number, word in enumerate(WORDS)}

Names = tuple[str, ...]
CommitmentKey = tuple[str, CommitmentTerms]
"""Of a commitment: its name and its terms."""
LadderKey = tuple[str, EscalationTerms]
"""Of a ladder: its name and its terms."""
StateKeys = tuple[Names, tuple[CommitmentKey, ...], tuple[LadderKey, ...]]
"""Names of the stopwatches, then what is fixed of the commitments and of the ladders."""
TargetKey = tuple[str, str, int, int]
"""Of a commitment with a target: its name and its policy, its number, and that of its stopwatch."""
_StoredKeys = tuple[
    list[str],
    list[int],
    bytes,
    int,
    list[tuple[int, int, int, int, int, bool | int, int | None]],
    list[tuple[int, int, int, int]],
]
"""The words that ``WORDS`` lacks; the metrics, those of the stopwatches first; the digests of those that have one; the number
of metrics without a stopwatch; the commitments and the ladders, with numbers of words and of metrics.

A metric is twice the number of its base, plus one where it has a digest. The base is a word, or the n-th ladder: minus n.
The clock of a commitment is a number. The interpreter wrote the first two as booleans once.
"""

_DIGEST: Final = 3
"""Bytes of the digest in the name of a metric."""
_HEX: Final = frozenset("0123456789abcdef")
_MOST: Final = 10_000
"""Lists and frames that are remembered; a helpdesk has hundreds."""
_write: Final = msgspec.msgpack.Encoder().encode
_read_names: Final = msgspec.msgpack.Decoder(list[int | str]).decode
_read_keys: Final = msgspec.msgpack.Decoder(_StoredKeys).decode

_bytes_of_names: Final[dict[Names, bytes]] = {}
_names_of_bytes: Final[dict[bytes, Names]] = {}
_bytes_of_keys: Final[dict[StateKeys, bytes]] = {}
_keys_of_bytes: Final[dict[bytes, StateKeys]] = {}
_target_keys_of_bytes: Final[dict[bytes, tuple[TargetKey, ...]]] = {}


def clear_caches() -> None:
    """Let go of what is remembered; it is found again."""
    _bytes_of_names.clear()
    _names_of_bytes.clear()
    _bytes_of_keys.clear()
    _keys_of_bytes.clear()
    _target_keys_of_bytes.clear()


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
    """Each name stands once, whatever refers to it; that of a metric named after its policy and ladder not at all."""
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
    places = {metric: place for place, metric in enumerate(watches)}

    def place(metric: str) -> int:
        return places.setdefault(metric, len(places))

    commitment_keys = [
        (
            number(name),
            number(terms.policy),
            terms.version,
            place(terms.metric),
            number(terms.calendar),
            terms.counted,
            terms.target,
        )
        for name, terms in commitments
    ]
    ladder_keys = [(number(name), number(terms.policy), terms.version, place(terms.metric)) for name, terms in ladders]
    called = {f"{terms.policy}/{name}": -1 - at for at, (name, terms) in enumerate(ladders)}
    stored: list[int] = []
    digests = b""
    for metric in places:
        base, digest = _parted(metric)
        of = called.get(base)
        stored.append(2 * (number(base) if of is None else of) + bool(digest))
        digests += digest
    return list(numbers)[len(WORDS) :], stored, digests, len(places) - len(watches), commitment_keys, ladder_keys


def _parted(metric: str) -> tuple[str, bytes]:
    """The base of a metric and its digest; all of it and nothing where it does not end in one."""
    base, separator, text = metric.rpartition("#")
    if separator and len(text) == 2 * _DIGEST and _HEX.issuperset(text):
        return base, bytes.fromhex(text)
    return metric, b""


def unpack_keys(data: bytes) -> StateKeys:
    """Raises msgspec.DecodeError and IndexError."""
    keys = _keys_of_bytes.get(data)
    if keys is None:
        keys = _named(_read_keys(data))
        if len(_keys_of_bytes) >= _MOST:
            clear_caches()
        _keys_of_bytes[data] = keys
    return keys


def target_keys(data: bytes) -> tuple[TargetKey, ...]:
    """Of a packed frame the commitments with a target, which may be open. Raises msgspec.DecodeError and IndexError."""
    found = _target_keys_of_bytes.get(data)
    if found is None:
        metrics, commitments, _ = unpack_keys(data)
        found = tuple(
            [
                (name, terms.policy, number, metrics.index(terms.metric))
                for number, (name, terms) in enumerate(commitments)
                if terms.target is not None and terms.metric in metrics
            ]
        )
        _target_keys_of_bytes[data] = found
    return found


def _named(stored: _StoredKeys) -> StateKeys:
    own, numbers, digests, unwatched, keyed_commitments, keyed_ladders = stored
    words = (*WORDS, *own)
    metrics: list[str] = []
    at = 0
    for each in numbers:
        base, has_digest = divmod(each, 2)
        name = words[base] if base >= 0 else f"{words[keyed_ladders[-1 - base][1]]}/{words[keyed_ladders[-1 - base][0]]}"
        if has_digest:
            name = f"{name}#{digests[at : at + _DIGEST].hex()}"
            at += _DIGEST
        metrics.append(name)
    if at != len(digests):
        raise IndexError(f"{len(digests)} bytes of digests, where the metrics have {at}")
    commitment_keys: list[CommitmentKey] = [
        (words[name], CommitmentTerms.of(words[policy], version, metrics[metric], words[calendar], int(clock), target))
        for name, policy, version, metric, calendar, clock, target in keyed_commitments
    ]
    ladder_keys: list[LadderKey] = [
        (words[name], EscalationTerms.of(words[policy], version, metrics[metric]))
        for name, policy, version, metric in keyed_ladders
    ]
    return tuple(metrics[: len(metrics) - unwatched]), tuple(commitment_keys), tuple(ladder_keys)
