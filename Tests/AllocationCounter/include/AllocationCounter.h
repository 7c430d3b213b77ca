// Counts heap allocations of one thread, for `ingress-bench allocations`. It stands in for the C library's allocator in programs
// that link it, so no product may.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

/// Counts the calling thread's allocations from now on, and keeps the call stacks of the first `stacks` of them, 16 at most.
void allocation_counter_start(int stacks);
/// Stops, and returns how many there were: malloc, calloc, realloc and the aligned ones.
long allocation_counter_stop(void);
/// Writes the stacks that were kept to standard error.
void allocation_counter_print_stacks(void);

#endif
