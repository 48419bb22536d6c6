/* Sleeping small: a monitor that has nothing to do for long keeps no program text mapped.
 *
 * The pages are the file's and come back at the first wake-up; but a single fault maps 16 of them, and with two processes
 * per container that is most of their size. So the sleep is one function, in a page and a mapping of its own, with the
 * system calls spelled out: nothing else is touched between dropping the pages and falling asleep.
 */
#include "stay.h"
#include "kernel.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>

enum { PAGE = 4096, RANGES = 4 };

struct ranges { size_t count; struct { uintptr_t start, size; } range[RANGES]; };

#if defined(__x86_64__)
static inline __attribute__((always_inline)) long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline __attribute__((always_inline)) long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
static inline long raw_call(long number, long a, long b, long c, long d, long e, long f)
{
    return checked(syscall(number, a, b, c, d, e, f));
}
#endif

/* epoll_pwait takes no signal mask here, ppoll neither: both are six plain arguments. */
static __attribute__((noinline, section(".text.idle"), aligned(PAGE))) long
sleep_small(const struct ranges *ranges, long number, long a, long b, long c, long d, long e, long f)
{
    for (size_t i = 0; i < ranges->count; i++)
        raw_call(SYS_madvise, (long)ranges->range[i].start, (long)ranges->range[i].size, MADV_DONTNEED, 0, 0, 0);
    return raw_call(number, a, b, c, d, e, f);
}

/* What of the program is never written to. */
static void find_ranges(struct ranges *ranges)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    size_t count = getauxval(AT_PHNUM);
    uintptr_t base = 0;
    ranges->count = 0;
    for (size_t i = 0; headers && i < count; i++)
        if (headers[i].p_type == PT_PHDR)
            base = (uintptr_t)headers - headers[i].p_vaddr;
    for (size_t i = 0; headers && i < count && ranges->count < RANGES; i++) {
        const ElfW(Phdr) *header = &headers[i];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_W))
            continue;
        uintptr_t start = (base + header->p_vaddr) & ~(uintptr_t)(PAGE - 1);
        uintptr_t end = (base + header->p_vaddr + header->p_filesz + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
        ranges->range[ranges->count].start = start;
        ranges->range[ranges->count++].size = end - start;
    }
}

static long idle_call(long number, long a, long b, long c, long d, long e, long f)
{
    struct ranges ranges;
    find_ranges(&ranges);
    /* a flag that differs makes it a mapping of its own, at whose ends a fault stops mapping neighbours */
    madvise((void *)(uintptr_t)sleep_small, PAGE, MADV_DONTDUMP);
    return sleep_small(&ranges, number, a, b, c, d, e, f);
}

int idle_epoll(int epoll, struct epoll_event *event, int timeout)
{
    return (int)idle_call(SYS_epoll_pwait, epoll, (long)event, 1, timeout, 0, 8);
}

int idle_poll(struct pollfd *polled, unsigned count)
{
    return (int)idle_call(SYS_ppoll, (long)polled, (long)count, 0, 0, 8, 0);
}
