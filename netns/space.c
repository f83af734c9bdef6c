/*
 * space: see space.h. A user namespace is entered by unshare(); its uid and gid maps are written by
 * a helper process that stayed outside, because a process with rights outside (a capability, not
 * root) may then map what its own namespace allows. setgroups is denied first, as the kernel asks of
 * the unprivileged. The process becomes uid 0 inside, so that children keep their rights over execve.
 *
 * Start reading at space_get_rights().
 */
#include "netns/space.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool has_caps(void);
static int new_user(const char **why);
static int map_from_outside(pid_t pid, uid_t uid, gid_t gid, int go);
static int write_file(const char *path, const char *text);
static uint64_t inode_of(const char *path);
static bool is_in(pid_t pid, const uint64_t *inode, unsigned n);

const char *space_rights_text(enum space_rights rights, uid_t uid, char out[80])
{
	switch (rights) {
	case SPACE_ROOT:
		return "root";
	case SPACE_CAPABILITIES:
		return "capabilities (CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW)";
	case SPACE_USER_NAMESPACE:
		break;
	}
	snprintf(out, 80, "user namespace of uid %u (unprivileged)", (unsigned)uid);
	return out;
}

int space_get_rights(enum space_rights *rights, const char **why)
{
	if (has_caps()) {
		*rights = geteuid() == 0 ? SPACE_ROOT : SPACE_CAPABILITIES;
		return 0;
	}
	*rights = SPACE_USER_NAMESPACE;
	return new_user(why);
}

int space_new_net(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int space_enter_net(int ns_fd)
{
	return setns(ns_fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

uint64_t space_inode(int ns_fd)
{
	struct stat st;

	return fstat(ns_fd, &st) < 0 ? 0 : (uint64_t)st.st_ino;
}

int space_enter_of(pid_t pid, int ns_fd)
{
	char user_path[64], net_path[64];
	int user_fd = -1, net_fd, err = 0;

	snprintf(user_path, sizeof user_path, "/proc/%d/ns/user", (int)pid);
	snprintf(net_path, sizeof net_path, "/proc/%d/fd/%d", (int)pid, ns_fd);
	net_fd = open(net_path, O_RDONLY | O_CLOEXEC);
	if (net_fd < 0)
		return -errno;
	if (inode_of(user_path) != inode_of("/proc/self/ns/user")) {
		user_fd = open(user_path, O_RDONLY | O_CLOEXEC);
		if (user_fd < 0 || setns(user_fd, CLONE_NEWUSER) < 0)
			err = -errno;
	}
	if (!err && setns(net_fd, CLONE_NEWNET) < 0)
		err = -errno;
	close(net_fd);
	if (user_fd >= 0)
		close(user_fd);
	return err;
}

unsigned space_kill_all(const uint64_t *inode, unsigned n)
{
	DIR *d = opendir("/proc");
	unsigned found = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid > 1 && pid != getpid() && is_in(pid, inode, n)) {
			found++;
			kill(pid, SIGKILL);
		}
	}
	if (d)
		closedir(d);
	return found;
}

static bool has_caps(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	const uint32_t want = 1u << CAP_SYS_ADMIN | 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return (data[0].effective & want) == want;
}

static int new_user(const char **why)
{
	pid_t self = getpid(), helper;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int go[2], status = 0, err = 0;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	helper = fork();
	if (helper == 0) {
		close(go[1]);
		_exit(map_from_outside(self, uid, gid, go[0]) ? 1 : 0);
	}
	close(go[0]);
	if (helper < 0 || unshare(CLONE_NEWUSER) < 0) {
		err = -errno;
		*why = "this system does not let this user make user namespaces"
		       " (user.max_user_namespaces, AppArmor); run as root instead";
	}
	prctl(PR_SET_DUMPABLE, 1);
	if (!err && write(go[1], "", 1) != 1)
		err = -errno;
	close(go[1]);
	if (helper > 0 && waitpid(helper, &status, 0) == helper && !err && status != 0) {
		err = -EPERM;
		*why = "the uid map of the user namespace could not be written";
	}
	return err;
}

/* The helper: waits until the other has its namespace, then maps its uid and gid to 0. */
static int map_from_outside(pid_t pid, uid_t uid, gid_t gid, int go)
{
	char path[64], text[64], byte;
	int err;

	if (read(go, &byte, 1) != 1)
		return -EPIPE;
	snprintf(path, sizeof path, "/proc/%d/setgroups", (int)pid);
	err = write_file(path, "deny");
	if (err && err != -ENOENT)
		return err;
	snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
	snprintf(text, sizeof text, "0 %u 1\n", (unsigned)uid);
	err = write_file(path, text);
	if (err)
		return err;
	snprintf(path, sizeof path, "/proc/%d/gid_map", (int)pid);
	snprintf(text, sizeof text, "0 %u 1\n", (unsigned)gid);
	return write_file(path, text);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static uint64_t inode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_ino;
}

static bool is_in(pid_t pid, const uint64_t *inode, unsigned n)
{
	char path[64];
	uint64_t its;

	snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
	its = inode_of(path);
	for (unsigned i = 0; its != 0 && i < n; i++)
		if (inode[i] == its)
			return true;
	return false;
}
