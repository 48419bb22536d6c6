"""Build step: write the C source of tuidock.native._kernel. Usage: kernel_ffi.py OUT.c"""

import re
import sys
from pathlib import Path

from cffi import FFI

HEADERS = ("kernel.h", "extract.h", "tarwrite.h", "logcopy.h")


def declarations() -> str:
    """What the headers declare, without preprocessor lines and comments, which cffi's parser does not read."""
    source = Path(__file__).resolve().parent / "src" / "kernel"
    text = "".join((source / name).read_text() for name in HEADERS)
    constants = "".join(f"#define {name} ...\n" for name in re.findall(r"^#define (TD_\w+) \S", text, re.MULTILINE))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return constants + re.sub(r"^#.*$", "", text, flags=re.MULTILINE)


ffi = FFI()
ffi.cdef(declarations())
ffi.set_source("tuidock.native._kernel", "".join(f'#include "{name}"\n' for name in HEADERS))

if __name__ == "__main__":
    ffi.emit_c_code(sys.argv[1])
