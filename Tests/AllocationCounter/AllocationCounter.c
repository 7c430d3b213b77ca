#include "AllocationCounter.h"

#include <errno.h>
#include <execinfo.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

// glibc's own, which do the work.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { maximum_stacks = 16, depth = 24 };

static _Thread_local int is_counting;
static long count;
static int stacks_wanted;
static int stacks_kept;
static void *stacks[maximum_stacks][depth];
static int depths[maximum_stacks];

static void note(void) {
    if (!is_counting) return;
    count++;
    if (stacks_kept >= stacks_wanted) return;
    is_counting = 0;
    depths[stacks_kept] = backtrace(stacks[stacks_kept], depth);
    stacks_kept++;
    is_counting = 1;
}

void allocation_counter_start(int wanted) {
    // The first call loads the unwinder, which allocates.
    void *frame[1];
    backtrace(frame, 1);
    count = 0;
    stacks_kept = 0;
    stacks_wanted = wanted < maximum_stacks ? wanted : maximum_stacks;
    is_counting = 1;
}

long allocation_counter_stop(void) {
    is_counting = 0;
    return count;
}

void allocation_counter_print_stacks(void) {
    for (int index = 0; index < stacks_kept; index++) {
        backtrace_symbols_fd(stacks[index], depths[index], STDERR_FILENO);
        if (write(STDERR_FILENO, "\n", 1) < 0) return;
    }
}

void *malloc(size_t size) {
    note();
    return __libc_malloc(size);
}

void *calloc(size_t items, size_t size) {
    note();
    return __libc_calloc(items, size);
}

void *realloc(void *memory, size_t size) {
    note();
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **memory, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    void *taken = memalign(alignment, size);
    if (taken == NULL) return ENOMEM;
    *memory = taken;
    return 0;
}
