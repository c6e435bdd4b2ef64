"""By which lines in their data libraries tell what they are, as 'OpenBLAS 0.3.29'.

Only files whose name or SONAME could be such a library's are searched, and only where a compiler
puts constants. The version is all that is taken: what stands behind it is often cut into pieces,
which are constants of their own. Syntax for Python 3.6 and newer, standard library only.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from envsnap.inside.elf import Data, Elf

MOST_BYTES = 128 << 20
"""So much of one file is searched; the constants of the largest of these libraries are 40 MiB."""
_STEP = 8 << 20
_OVERLAP = 1024
_PLACES = {".rodata", ".data", ".data.rel.ro", ".comment", ".gnu.build.attributes"}

_NUMBER = rb"(\d{1,4}(?:\.\d{1,9}){1,4})"
_ALONE = rb"\0v?(\d{1,3}(?:\.\d{1,3}){1,3})(?=\0)"
_DATE = rb"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\w: ]{8,24}"
_SETS = rb"([A-Z0-9_ ]{0,500})"
_NUMPY = ("_multiarray_umath.",)
_BLAS = ("libblas.", "libblas-", "libcblas", "liblapack")

_ROWS = (
    ("OpenBLAS", ("libopenblas", "libscipy_openblas", *_BLAS), rb"OpenBLAS " + _NUMBER),
    ("MKL", ("libmkl_", *_BLAS), rb"Math Kernel Library Version " + _NUMBER),
    ("BLIS", ("libblis",), _ALONE),
    ("FlexiBLAS", ("libflexiblas.", "libflexiblas-"), _ALONE),
    ("ATLAS", ("libatlas", "libsatlas", "libtatlas"), _ALONE),
    ("Intel OpenMP", ("libiomp5",), rb"Intel\(R\) OMP version: " + _NUMBER),
    ("Clang", ("libomp.", "libomp-"), rb"OMP build compiler: Clang " + _NUMBER),
    ("GCC", ("libgomp",), rb"(?:running gcc|GCC: \([^)\0]{1,80}\)) " + _NUMBER),
    ("Open MPI", ("libmpi.", "libmpi-", "libopen-"), rb"\0v" + _NUMBER + rb"\0"),
    ("NCCL", ("libnccl.", "libnccl-"), rb"NCCL version " + _NUMBER),
    ("MPICH", ("libmpich.", "libmpi.", "libmpi-"), _DATE + rb"\0{1,16}" + _NUMBER + rb"\0"),
    ("NumPy baseline", _NUMPY, rb"built with baseline optimizations: \n\(" + _SETS + rb"\) but"),
    ("NumPy dispatch", _NUMPY, rb"part of the dispatched optimizations\n\(" + _SETS + rb"\)\."),
    ("NumPy dispatch", _NUMPY, rb"compiled without any dispatched optimizations()"),
    ("NumPy dispatch", _NUMPY, rb"compiled with optimization disabled()"),
)  # fmt: skip
"""What the library is called, how its file or its SONAME begins, and where its version stands.

A row whose text is found with two versions says nothing: one of them is another library's.
"""


def told(data: "Data", elf: "Elf", names: "Iterable[str]") -> "list[str]":
    """What a library's data say it is, sorted; `names` are its file's and its SONAME.

    Of NumPy it is the instruction sets that it has code for: its errors name them.
    """
    begins = tuple(names)
    rows = [row for row in _ROWS if any(name.startswith(row[1]) for name in begins)]
    found = {}  # type: dict[str, set[bytes]]
    for part in _parts(data, elf) if rows else ():
        for product, _, pattern in rows:
            _add(found.setdefault(product, set()), pattern, part)
    return sorted(
        ("%s %s" % (product, min(versions).decode("ascii"))).rstrip()
        for product, versions in found.items()
        if len(versions) == 1
    )


def _add(versions: "set[bytes]", pattern: bytes, part: bytes) -> None:
    """The versions that stand in a piece of the data, until there are two: two say nothing."""
    for match in re.finditer(pattern, part):
        if len(versions) > 1:
            return
        versions.add(match.group(1))


def _parts(data: "Data", elf: "Elf") -> "Iterator[bytes]":
    """The constants in pieces that overlap; the whole file where its sections are not told."""
    places = [(each.offset, each.size) for each in elf.sections() if each.name in _PLACES]
    left = MOST_BYTES
    for start, size in places or [(0, len(data))]:
        end = min(start + min(size, left), len(data))
        left -= max(end - start, 0)
        for at in range(start, end, _STEP):
            yield data[max(at - _OVERLAP, start) : min(at + _STEP, end)]
