"""The first bytes of what Zstandard compressed, for Pythons that cannot unpack it themselves.

AMD's compiler compresses the GPU code of a library so, and the targets stand at its start. As
RFC 8878 says; dictionaries are not supported and checksums not compared. The bytes may be
anybody's: each table is bounded, and no more is unpacked than was asked for. Syntax for Python 3.6
and newer, standard library only.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Table = tuple[int, list[tuple[int, int, int]]]
    """The bits of a state; for each state its symbol, and the bits and base of the next one."""

MAGIC = b"\x28\xb5\x2f\xfd"
_LARGEST_BLOCK = 1 << 17
_RAW, _RUN, _PACKED, _AGAIN = 0, 1, 2, 3
_MOST_BITS = 11  # of a Huffman code
_WEIGHTS_LOG = 6

_LENGTHS = [(each, 0) for each in range(16)] + [
    (16, 1), (18, 1), (20, 1), (22, 1), (24, 2), (28, 2), (32, 3), (40, 3), (48, 4), (64, 6),
] + [(1 << bits, bits) for bits in range(7, 17)]  # fmt: skip
_MATCHES = [(each + 3, 0) for each in range(32)] + [
    (35, 1), (37, 1), (39, 1), (41, 1), (43, 2), (47, 2), (51, 3), (59, 3), (67, 4), (83, 4),
    (99, 5),
] + [((1 << bits) + 3, bits) for bits in range(7, 17)]  # fmt: skip
_USUAL_LENGTHS = [4, 3] + [2] * 11 + [1] * 3 + [2] * 9 + [3, 2] + [1] * 5 + [-1] * 4
_USUAL_OFFSETS = [1] * 6 + [2] * 3 + [1] * 15 + [-1] * 5
_USUAL_MATCHES = [1, 4, 3] + [2] * 6 + [1] * 37 + [-1] * 7
# For literal lengths, offsets and match lengths: the usual table and its bits, the most bits
_KINDS = ((_USUAL_LENGTHS, 6, 9), (_USUAL_OFFSETS, 5, 8), (_USUAL_MATCHES, 6, 9))


class ZstdError(ValueError):
    """The bytes are no frame of Zstandard's, are broken, or end too early."""


def head(data: bytes, size: int) -> bytes:
    """The first `size` bytes that a frame holds, or all of them.

    Raises:
        ZstdError: They cannot be unpacked.
    """
    try:
        return bytes(_Frame(data, size).unpacked()[:size])
    except IndexError as error:
        raise ZstdError("it ends too early") from error


class _Bits:
    """Bits that are read from the end to the start; before the start there are zeros."""

    def __init__(self, data: bytes) -> None:
        if not data or not data[-1]:
            raise ZstdError("a stream of bits has no end")
        self._data = data
        self.left = 8 * len(data) - 9 + data[-1].bit_length()

    def peek(self, count: int) -> int:
        """The next bits, which stay."""
        at = self.left - count
        if at < 0:
            if self.left <= 0:
                return 0
            known = int.from_bytes(self._data[: (self.left + 7) // 8], "little")
            return (known & ((1 << self.left) - 1)) << -at
        window = int.from_bytes(self._data[at >> 3 : (at >> 3) + 8], "little")
        return (window >> (at & 7)) & ((1 << count) - 1)

    def read(self, count: int) -> int:
        """The next bits."""
        found = self.peek(count)
        self.left -= count
        return found


class _Frame:
    """One frame, as far as it is unpacked."""

    def __init__(self, data: bytes, size: int) -> None:
        if data[:4] != MAGIC:
            raise ZstdError("it does not begin as a frame does")
        self._data, self._size = data, size
        self._out = bytearray()
        self._repeats = [1, 4, 8]
        self._tables = [None, None, None]  # type: list[Table | None]
        self._huffman = None  # type: tuple[int, list[tuple[int, int]]] | None

    def unpacked(self) -> bytearray:
        """At least as many bytes as were asked for, if the frame has them."""
        said = self._data[4]
        single = said >> 5 & 1
        if said & 3:
            raise ZstdError("it needs a dictionary")
        at = 5 + (not single) + (single, 2, 4, 8)[said >> 6]
        last = 0
        while not last and len(self._out) < self._size:
            header = int.from_bytes(self._data[at : at + 3], "little")
            last, kind, size = header & 1, header >> 1 & 3, header >> 3
            at += 3
            if at > len(self._data) or kind == _AGAIN or size > _LARGEST_BLOCK:
                raise ZstdError("a block's header is broken")
            length = 1 if kind == _RUN else size
            block = self._data[at : at + length]
            at += length
            if kind == _RAW:
                self._out += block[: self._size]
            if len(block) < length:
                raise ZstdError("a block ends too early")
            if kind == _RUN:
                self._out += block * min(size, self._size)
            elif kind == _PACKED:
                self._unpack(block)
        return self._out

    def _unpack(self, block: bytes) -> None:
        """Add what a compressed block holds, as far as it is asked for."""
        literals, at = self._literals(block)
        count, at = _count(block, at)
        if not count:
            self._out += literals
            return
        modes = block[at]
        at += 1
        tables = []
        for place, kind in enumerate(_KINDS):
            table, at = _table(
                modes >> 6 - 2 * place & 3, kind, block, at, last=self._tables[place]
            )
            self._tables[place] = table
            tables.append(table)
        self._execute(_Bits(block[at:]), tables, count, literals)

    def _literals(self, block: bytes) -> "tuple[bytes, int]":
        """The block's literals, as many as can be asked for, and where its next part begins."""
        kind, form = block[0] & 3, block[0] >> 2 & 3
        if kind in {_RAW, _RUN}:
            length = (1, 2, 1, 3)[form]
            size = int.from_bytes(block[:length], "little") >> (4 if form & 1 else 3)
            end = length + (size if kind == _RAW else 1)
            found = block[length:end]
            return (found if kind == _RAW else found * min(size, self._size)), end
        length, bits = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
        sizes = int.from_bytes(block[:length], "little") >> 4
        size, packed = sizes & (1 << bits) - 1, sizes >> bits
        if size > _LARGEST_BLOCK:
            raise ZstdError("there are too many literals")
        body, end = block[length : length + packed], length + packed
        if kind == _PACKED:
            self._huffman, used = _huffman(body)
            body = body[used:]
        if self._huffman is None:
            raise ZstdError("it repeats a table that was never there")
        return _four(body, size, self._huffman, self._size, parts=4 if form else 1), end

    def _execute(self, bits: _Bits, tables: "list[Table]", count: int, literals: bytes) -> None:
        """Copy literals and matches as the sequences say."""
        out, taken = self._out, 0
        states = [bits.read(log) for log, _ in tables]
        for place in range(count):
            length_code, offset_code, match_code = (
                tables[kind][1][states[kind]][0] for kind in range(3)
            )
            offset = (1 << offset_code) + bits.read(offset_code)
            base, more = _MATCHES[match_code]
            match = base + bits.read(more)
            base, more = _LENGTHS[length_code]
            length = base + bits.read(more)
            if place < count - 1:
                for kind in (0, 2, 1):
                    _, more, base = tables[kind][1][states[kind]]
                    states[kind] = base + bits.read(more)
            if bits.left < 0:
                raise ZstdError("the sequences end too early")
            out += literals[taken : taken + length]
            taken += length
            self._copy(self._distance(offset, length), match)
            if len(out) >= self._size:
                return
        out += literals[taken:]

    def _distance(self, offset: int, length: int) -> int:
        """How far back a match lies; the last three distances have numbers of their own."""
        repeats = self._repeats
        if offset > 3:  # noqa: PLR2004 - those three
            self._repeats = [offset - 3, *repeats[:2]]
            return offset - 3
        place = offset - 1 + (not length)
        if place == 3:  # noqa: PLR2004 - beyond those three
            self._repeats = [repeats[0] - 1, *repeats[:2]]
        elif place:
            others = [each for at, each in enumerate(repeats) if at != place]
            self._repeats = [repeats[place], *others]
        return self._repeats[0]

    def _copy(self, distance: int, length: int) -> None:
        out = self._out
        if not 0 < distance <= len(out):
            raise ZstdError("a match lies before the start")
        length = min(length, max(self._size - len(out), 0))
        piece = bytes(out[len(out) - distance :][:length])
        out += (piece * (length // len(piece) + 1))[:length] if piece else b""


def _count(block: bytes, at: int) -> "tuple[int, int]":
    """How many sequences a block has, and where its next part begins."""
    first = block[at]
    if first < 128:  # noqa: PLR2004 - as the three forms are
        return first, at + 1
    if first < 255:  # noqa: PLR2004
        return (first - 128 << 8) + block[at + 1], at + 2
    return block[at + 1] + (block[at + 2] << 8) + 0x7F00, at + 3


def _table(
    mode: int,
    kind: "tuple[Sequence[int], int, int]",
    block: bytes,
    at: int,
    *,
    last: "Table | None",
) -> "tuple[Table, int]":
    """The table of one part of the sequences, and where the next begins."""
    usual, log, most = kind
    if mode == _RAW:
        return (log, _states(usual, log)), at
    if mode == _RUN:
        if block[at] >= len(usual) + 3:
            raise ZstdError("a code is none")
        return (0, [(block[at], 0, 0)]), at + 1
    if mode == _PACKED:
        return _described(block, at, most, len(usual) + 3)
    if last is None:
        raise ZstdError("it repeats a table that was never there")
    return last, at


def _described(block: bytes, at: int, most: int, symbols: int) -> "tuple[Table, int]":
    """A table that the block describes, and where its next part begins."""
    text = int.from_bytes(block[at : at + 256], "little")
    log, used = (text & 15) + 5, 4
    if log > most:
        raise ZstdError("a table is too large")
    left, shares = 1 << log, []  # type: int, list[int]
    while left > 0 and len(shares) < symbols:
        bits = (left + 1).bit_length()
        value, lower = text >> used & (1 << bits) - 1, (1 << bits - 1) - 1
        short = (1 << bits) - 2 - left
        if value & lower < short:
            value, bits = value & lower, bits - 1
        elif value > lower:
            value -= short
        used += bits
        shares.append(value - 1)
        left -= abs(value - 1)
        more = 3 if not shares[-1] else 0
        while more == 3:  # noqa: PLR2004 - a run of zeros that goes on
            more = text >> used & 3
            used += 2
            shares += [0] * more
            if len(shares) > symbols:
                raise ZstdError("a table has too many symbols")
    if left or at + (used + 7) // 8 > len(block):
        raise ZstdError("a table is broken")
    return (log, _states(shares, log)), at + (used + 7) // 8


def _states(shares: "Sequence[int]", log: int) -> "list[tuple[int, int, int]]":
    """For each state its symbol, and bits and base of the next one."""
    size = 1 << log
    symbols, high = [0] * size, size
    for symbol, share in enumerate(shares):
        if share < 0:
            high -= 1
            symbols[high] = symbol
    at, step = 0, (size >> 1) + (size >> 3) + 3
    for symbol, share in enumerate(shares):
        for _ in range(share):
            symbols[at] = symbol
            at = at + step & size - 1
            while at >= high:
                at = at + step & size - 1
    following = [abs(share) for share in shares]
    found = []
    for symbol in symbols:
        number = following[symbol]
        following[symbol] += 1
        bits = log + 1 - number.bit_length()
        found.append((symbol, bits, (number << bits) - size))
    return found


def _huffman(body: bytes) -> "tuple[tuple[int, list[tuple[int, int]]], int]":
    """The most bits of a code and, by so many bits, symbol and length; and the bytes it took."""
    weights, used = _weights(body)
    total = sum(1 << each - 1 for each in weights if each)
    most = total.bit_length()
    rest = (1 << most) - total
    if not total or most > _MOST_BITS or rest & rest - 1 or len(weights) > 255:  # noqa: PLR2004
        raise ZstdError("a table of codes is broken")
    weights.append(rest.bit_length())
    table = []  # type: list[tuple[int, int]]
    for weight in range(1, most + 1):
        for symbol, each in enumerate(weights):
            if each == weight:
                table += [(symbol, most + 1 - weight)] * (1 << weight - 1)
    return (most, table), used


def _weights(body: bytes) -> "tuple[list[int], int]":
    """The weights of all symbols but the last, and how many bytes they took."""
    first = body[0]
    if first >= 128:  # noqa: PLR2004 - half a byte each
        count = first - 127
        return [body[1 + at // 2] >> (0 if at & 1 else 4) & 15 for at in range(count)], (
            1 + (count + 1) // 2
        )
    (log, table), at = _described(body[: first + 1], 1, _WEIGHTS_LOG, 256)
    bits = _Bits(body[at : first + 1])
    states, found = [bits.read(log), bits.read(log)], []  # type: list[int], list[int]
    while len(found) < 256:  # noqa: PLR2004 - bytes
        symbol, more, base = table[states[0]]
        found.append(symbol)
        states = [states[1], base + bits.read(more)]
        if bits.left < 0:
            return [*found, table[states[0]][0]], first + 1
    raise ZstdError("there are too many weights")


def _four(
    body: bytes, size: int, huffman: "tuple[int, list[tuple[int, int]]]", wanted: int, *, parts: int
) -> bytes:
    """Literals that are compressed in one stream or in four."""
    most, table = huffman
    ends = [len(body)]
    start = 0
    if parts > 1:
        start, ends = 6, []
        for at in (0, 2, 4):
            ends.append((ends or [6])[-1] + int.from_bytes(body[at : at + 2], "little"))
        ends.append(len(body))
    each = -(-size // parts)
    found = bytearray()
    for end in ends:
        if len(found) >= wanted:
            break
        bits = _Bits(body[start:end])
        full = min(len(found) + each, size)
        while len(found) < full:
            symbol, length = table[bits.peek(most)]
            bits.left -= length
            found.append(symbol)
        if bits.left:
            raise ZstdError("a stream of literals is broken")
        start = end
    return bytes(found)
