/*
 * signal: signalfd. Opened before the writer thread is made, so that it inherits the mask.
 */
#include "dtn/io/signal.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signal_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int signal_next(int fd)
{
	struct signalfd_siginfo si;

	return read(fd, &si, sizeof si) == sizeof si ? (int)si.ssi_signo : 0;
}
