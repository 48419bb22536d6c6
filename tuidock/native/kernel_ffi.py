"""Build step: write the C source of tuidock.native._kernel. Usage: kernel_ffi.py OUT.c"""

import sys

from cffi import FFI

ffi = FFI()
ffi.cdef("""
int td_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int td_pidfd_open(int pid);
""")
ffi.set_source("tuidock.native._kernel", '#include "kernel.h"')

if __name__ == "__main__":
    ffi.emit_c_code(sys.argv[1])
