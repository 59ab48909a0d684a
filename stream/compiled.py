"""Machine code of the hot path for a checkout of the source: used if it was built of exactly this source and interpreter.

``make compile`` builds it and unpacks it to ``.compiled/KEY`` beside ``stream``. The key is a digest of every source file, of
the interpreter and of the system, computed anew at each start. So machine code of another source is never used: an edited
file is run as it is. Where there is no ``.compiled``, as beside an installed wheel, this costs one look.

    python -P stream/compiled.py WHEEL SOURCE    # unpacks the machine code of a wheel that was built of a copy of the source
"""

from __future__ import annotations

import os
import sys
import sysconfig
from contextlib import suppress
from hashlib import blake2b
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

FOLDER: Final = ".compiled"
OFF: Final = "BREACHWATCH_INTERPRETED"
"""Variable of the environment: if it is set, the source is run. Tests set it."""
_SUFFIX: Final[str] = sysconfig.get_config_var("EXT_SUFFIX")


def key(root: Path) -> str:
    """Digest of the interpreter, of the system and of every source file below ``root / "stream"``."""
    digest = blake2b(f"{sys.implementation.cache_tag} {_SUFFIX} {_system()}".encode(), digest_size=10)
    for file in sorted((root / "stream").rglob("*.py")):
        # No module has such a name. An editor's may be a link to nowhere.
        if file.name.startswith(".") or not file.is_file():
            continue
        content = file.read_bytes()
        digest.update(f"\n{file.relative_to(root).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _system() -> str:
    """Processor and C library: a folder may be copied to another machine, or be seen by a container on this one."""
    library: str | None = None
    with suppress(OSError, ValueError):  # another C library than glibc, which the suffix names
        library = os.confstr("CS_GNU_LIBC_VERSION")
    return f"{os.uname().machine} {library}"


class Finder:
    """Finds the compiled modules in a folder, as an entry of ``sys.meta_path``."""

    def __init__(self, folder: Path) -> None:
        self._files: Final = {
            file.relative_to(folder).as_posix().removesuffix(_SUFFIX).replace("/", "."): file
            for file in folder.rglob(f"*{_SUFFIX}")
        }

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002  the signature is Python's
        file = self._files.get(name)
        if file is None:
            return None
        spec = ModuleSpec(name, ExtensionFileLoader(name, str(file)), origin=str(file))
        spec.has_location = True  # so that the module has a ``__file__``
        return spec


def use(root: Path) -> None:
    """Let imports find the machine code beside the source at ``root``, if there is any of this source."""
    if not (root / FOLDER).is_dir() or os.environ.get(OFF):
        return
    folder = root / FOLDER / key(root)
    if folder.is_dir():
        sys.meta_path.insert(0, Finder(folder))


def hot_path() -> str:
    """A phrase for the log: whether this process runs compiled or interpreted code."""
    if is_compiled():
        return "compiled"
    if (Path(__file__).parents[1] / FOLDER).is_dir() and not os.environ.get(OFF):
        return "interpreted, because the source or the interpreter has changed since `make compile`"
    return "interpreted"


def is_compiled() -> bool:
    """Whether this process runs machine code of the hot path."""
    from stream.sla import engine

    return (engine.__file__ or "").endswith(_SUFFIX)


def unpack(wheel: Path, source: Path, root: Path) -> Path:
    """Unpack the machine code of a wheel, built of the source at ``source``, beside ``root / "stream"``. Returns the folder.

    The folder gets its name when it is complete, so nobody meets a part of it. Raises ValueError: the wheel has no machine
    code.
    """
    import zipfile  # only here: every command imports this module
    from shutil import rmtree
    from tempfile import mkdtemp

    folder = root / FOLDER / key(source)
    folder.parent.mkdir(exist_ok=True)
    unfinished = Path(mkdtemp(dir=folder.parent))
    with zipfile.ZipFile(wheel) as content:
        built = [name for name in content.namelist() if name.endswith(_SUFFIX)]
        if not built:
            raise ValueError(f"{wheel.name} has no machine code for this interpreter")
        content.extractall(unfinished, built)
    for other in folder.parent.iterdir():
        if other != unfinished:
            rmtree(other)
    return unfinished.rename(folder)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]), Path(__file__).resolve().parents[1])
    print("The commands of this checkout run machine code until its source changes.")
