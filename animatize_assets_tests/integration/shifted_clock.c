/* Shifts CLOCK_REALTIME of the processes that load it by a number of seconds that is read from a
   file, at every call, so that all of them see the clock jump at one moment, as when somebody sets
   it. CLOCK_MONOTONIC and everything that sleeps by it stay as they are.

   A wait until an absolute moment of CLOCK_REALTIME is handed to the kernel in its own time. One
   that is under way when the clock jumps lasts as long as it would have without: unlike under a
   real jump, which ends it at once or prolongs it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_of_file;

__attribute__((constructor)) static void open_shift(void) {
    const char *name = getenv("SHIFTED_CLOCK_FILE");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *seen = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (seen != MAP_FAILED)
        shift_of_file = seen;
}

static int64_t shift(void) { return shift_of_file ? *shift_of_file : 0; }

static int is_shifted(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

/* The kernel's time of a moment that is told in shifted time. */
static const struct timespec *unshifted(const struct timespec *told, struct timespec *room) {
    if (!told)
        return told;
    *room = *told;
    room->tv_sec -= shift();
    if (room->tv_sec < 0) {
        room->tv_sec = 0;
        room->tv_nsec = 0;
    }
    return room;
}

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    /* A plain dlsym gives an old version of the functions of pthread_cond_t on x86-64. */
    void *found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    return found ? found : dlsym(RTLD_NEXT, name);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static __typeof__(&clock_gettime) next;
    if (!next)
        next = REAL(clock_gettime);
    int result = next(clock, now);
    if (!result && is_shifted(clock))
        now->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    int result = REAL(gettimeofday)(now, zone);
    if (!result && now)
        now->tv_sec += shift();
    return result;
}

time_t time(time_t *now) {
    struct timespec told;
    clock_gettime(CLOCK_REALTIME, &told);
    if (now)
        *now = told.tv_sec;
    return told.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    if (base != TIME_UTC)
        return REAL(timespec_get)(now, base);
    clock_gettime(CLOCK_REALTIME, now);
    return base;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until,
                    struct timespec *left) {
    struct timespec room;
    if (is_shifted(clock) && (flags & TIMER_ABSTIME))
        until = unshifted(until, &room);
    return REAL(clock_nanosleep)(clock, flags, until, left);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    struct timespec room;
    return REAL(sem_timedwait)(semaphore, unshifted(until, &room));
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t clock,
                  const struct timespec *restrict until) {
    struct timespec room;
    if (is_shifted(clock))
        until = unshifted(until, &room);
    return REAL(sem_clockwait)(semaphore, clock, until);
}

/* In glibc the second bit says that a condition variable counts by CLOCK_MONOTONIC. */
#define COUNTS_MONOTONIC(condition) ((condition)->__data.__wrefs & 2)

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    struct timespec room;
    if (!COUNTS_MONOTONIC(condition))
        until = unshifted(until, &room);
    return REAL(pthread_cond_timedwait)(condition, mutex, until);
}

int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           clockid_t clock, const struct timespec *restrict until) {
    struct timespec room;
    if (is_shifted(clock))
        until = unshifted(until, &room);
    return REAL(pthread_cond_clockwait)(condition, mutex, clock, until);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex,
                            const struct timespec *restrict until) {
    struct timespec room;
    return REAL(pthread_mutex_timedlock)(mutex, unshifted(until, &room));
}

long syscall(long number, ...) {
    static __typeof__(&syscall) next;
    if (!next)
        next = REAL(syscall);
    long given[6];
    va_list arguments;
    va_start(arguments, number);
    for (int place = 0; place < 6; place++)
        given[place] = va_arg(arguments, long);
    va_end(arguments);
    struct timespec room;
    if (number == SYS_futex && (given[1] & FUTEX_CLOCK_REALTIME))
        given[3] = (long)unshifted((const struct timespec *)given[3], &room);
    if (number == SYS_clock_gettime)
        return clock_gettime((clockid_t)given[0], (struct timespec *)given[1]);
    return next(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
