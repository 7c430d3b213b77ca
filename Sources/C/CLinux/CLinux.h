// What the Linux kernel and glibc offer beyond the platform module: calls behind _GNU_SOURCE, calls without a glibc
// wrapper, and macros. Names of our own carry the prefix clinux_.
#ifndef CLINUX_H
#define CLINUX_H

#include <link.h>
#include <malloc.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Same layout as struct mmsghdr, which only _GNU_SOURCE declares.
struct clinux_mmsghdr {
    struct msghdr header;
    unsigned int length;
};
_Static_assert(sizeof(struct clinux_mmsghdr) == sizeof(struct msghdr) + 8, "layout of struct mmsghdr");

int clinux_sendmmsg(int fd, struct clinux_mmsghdr *messages, unsigned int count, int flags) __asm__("sendmmsg");
int clinux_recvmmsg(int fd, struct clinux_mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout)
    __asm__("recvmmsg");
int clinux_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) __asm__("accept4");
int clinux_pipe2(int fds[2], int flags) __asm__("pipe2");
int clinux_posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from)
    __asm__("posix_spawn_file_actions_addclosefrom_np");
// Declared under _GNU_SOURCE only, as are the structure's members that nothing here reads.
struct clinux_dl_phdr_info {
    ElfW(Addr) dlpi_addr;
    const char *dlpi_name;
    const ElfW(Phdr) *dlpi_phdr;
    ElfW(Half) dlpi_phnum;
};
int clinux_dl_iterate_phdr(int (*callback)(struct clinux_dl_phdr_info *info, size_t size, void *data), void *data)
    __asm__("dl_iterate_phdr");
int clinux_pthread_setname_np(pthread_t thread, const char *name) __asm__("pthread_setname_np");

enum clinux_option {
    clinux_UDP_SEGMENT = 103,
    clinux_SO_RCVBUFFORCE = 33,
    clinux_SO_SNDBUFFORCE = 32,
    clinux_SO_MEMINFO = 55,
    clinux_SK_MEMINFO_DROPS = 8,
    clinux_SK_MEMINFO_VARS = 9,
    // One UInt16 with its header, padded (CMSG_SPACE(2)).
    clinux_segment_control_size = 24,
};

// Puts one UDP_SEGMENT control message into `control` (clinux_segment_control_size bytes) and hangs it on `header`.
static inline void clinux_set_segment_size(struct msghdr *header, void *control, uint16_t size) {
    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(sizeof(size));
    struct cmsghdr *message = CMSG_FIRSTHDR(header);
    message->cmsg_level = IPPROTO_UDP;
    message->cmsg_type = clinux_UDP_SEGMENT;
    message->cmsg_len = CMSG_LEN(sizeof(size));
    memcpy(CMSG_DATA(message), &size, sizeof(size));
}
_Static_assert(CMSG_SPACE(sizeof(uint16_t)) == clinux_segment_control_size, "size of the control message");

// epoll_wait with nanoseconds (Linux 5.11); -1 with ENOSYS on older kernels.
static inline int clinux_epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *timeout) {
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
    return (int)syscall(SYS_epoll_pwait2, fd, events, count, timeout, (void *)0, 0);
}

// Sleeps while *word == expected; the deadline is on CLOCK_MONOTONIC, null for none.
static inline int clinux_futex_wait(uint32_t *word, uint32_t expected, const struct timespec *deadline) {
    // FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG: the one form that takes an absolute time.
    return (int)syscall(SYS_futex, word, 9 | 128, expected, deadline, (void *)0, 0xFFFFFFFFu);
}

static inline int clinux_futex_wake_one(uint32_t *word) {
    return (int)syscall(SYS_futex, word, 1 | 128, 1, (void *)0, (void *)0, 0);
}

// In Swift the struct of the same name hides the function.
static inline int clinux_sigaction(int number, const struct sigaction *action) { return sigaction(number, action, (void *)0); }

// A descriptor that becomes readable when the process ends (Linux 5.3); close-on-exec by itself.
static inline int clinux_pidfd_open(pid_t pid) {
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int clinux_pidfd_send_signal(int pidfd, int number) {
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, (void *)0, 0);
}

// Takes an ended child's result: 1 with code (a CLD_ value) and status, 0 while it runs, -1 on error.
static inline int clinux_reap(int pidfd, int *code, int *status) {
    siginfo_t info;
    info.si_pid = 0;
    // P_PIDFD (Linux 5.4).
    if (waitid((idtype_t)3, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0) return -1;
    if (info.si_pid == 0) return 0;
    *code = info.si_code;
    *status = info.si_status;
    return 1;
}

static inline int clinux_disable_huge_pages(void) { return prctl(PR_SET_THP_DISABLE, 1UL, 0UL, 0UL, 0UL); }
// The kernel sends `number` to this process when the thread that started it ends.
static inline int clinux_set_parent_death_signal(int number) { return prctl(PR_SET_PDEATHSIG, (unsigned long)number); }

// 1 when the descriptor is open and an end of a pipe, 0 otherwise.
static inline int clinux_is_pipe(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

// Swift does not import the function-like macro.
static inline void clinux_ignore_signal(int number) { signal(number, SIG_IGN); }

#endif
