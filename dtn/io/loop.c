/*
 * loop: epoll_pwait2 with a relative timeout made from the deadline, so no timer descriptor has to be
 * re-armed. Level-triggered: who reads only part of what is there is told again in the next turn.
 * Timer slack is set to 1 us, since pacing and lab clocks count in microseconds.
 */
#include "dtn/io/loop.h"

#include "dtn/io/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

int loop_open(struct loop *l)
{
	l->fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->fd < 0)
		return -errno;
	prctl(PR_SET_TIMERSLACK, 1000UL);
	return 0;
}

void loop_close(struct loop *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static struct epoll_event event_of(struct loop_tag tag, bool read, bool write)
{
	struct epoll_event e = {.data.u64 = (uint64_t)tag.kind << 32 | tag.index};

	e.events = (read ? (uint32_t)EPOLLIN : 0) | (write ? (uint32_t)EPOLLOUT : 0);
	return e;
}

int loop_add(struct loop *l, int fd, struct loop_tag tag)
{
	struct epoll_event e = event_of(tag, true, false);

	return epoll_ctl(l->fd, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

int loop_want(struct loop *l, int fd, struct loop_tag tag, bool read, bool write)
{
	struct epoll_event e = event_of(tag, read, write);

	return epoll_ctl(l->fd, EPOLL_CTL_MOD, fd, &e) ? -errno : 0;
}

void loop_remove(struct loop *l, int fd)
{
	struct epoll_event e = {0};

	epoll_ctl(l->fd, EPOLL_CTL_DEL, fd, &e);
}

int loop_wait(struct loop *l, int64_t until_ns, struct loop_event ev[LOOP_EVENTS])
{
	struct epoll_event e[LOOP_EVENTS];
	struct timespec ts = {0}, *timeout = &ts;
	int64_t left = until_ns == LOOP_NEVER ? 0 : until_ns - clock_mono_ns();
	int n;

	if (until_ns == LOOP_NEVER)
		timeout = NULL;
	else if (left > 0)
		ts = (struct timespec){.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
	n = epoll_pwait2(l->fd, e, LOOP_EVENTS, timeout, NULL);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		uint32_t is = e[i].events;

		ev[i].tag.kind = (uint32_t)(e[i].data.u64 >> 32);
		ev[i].tag.index = (uint32_t)e[i].data.u64;
		ev[i].can_read = is & EPOLLIN;
		ev[i].can_write = is & EPOLLOUT;
		ev[i].has_gone = is & (EPOLLHUP | EPOLLERR);
	}
	return n;
}
