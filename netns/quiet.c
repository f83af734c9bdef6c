/*
 * quiet: see quiet.h. Settings go through /proc/sys/net, which always shows the namespace of the
 * process that opens it; a setting that this kernel does not have can make no noise and is passed over.
 *
 * ICMP errors ("port unreachable" while a node's daemon is dead) are stopped by a rate limit that
 * is never reached again: a peer's tokens start at a minute's worth, one message costs 24 days.
 * Offloads are switched by feature name (SIOCETHTOOL); names that a kernel lacks are passed over.
 */
#include "netns/quiet.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct setting {
	const char *path, *value;
};

static const struct setting settings[] = {
	{"ipv6/conf/all/disable_ipv6", "1"},
	{"ipv6/conf/default/disable_ipv6", "1"},
	{"ipv6/conf/all/accept_dad", "0"},
	{"ipv6/conf/default/accept_dad", "0"},
	{"ipv6/conf/all/autoconf", "0"},
	{"ipv6/conf/default/autoconf", "0"},
	{"ipv6/conf/all/accept_ra", "0"},
	{"ipv6/conf/default/accept_ra", "0"},
	{"ipv6/conf/default/router_solicitations", "0"},
	{"ipv6/conf/default/force_mld_version", "0"},
	{"ipv4/ip_forward", "0"},
	{"ipv4/conf/all/rp_filter", "0"},
	{"ipv4/conf/default/rp_filter", "0"},
	{"ipv4/conf/all/arp_notify", "0"},
	{"ipv4/conf/default/arp_notify", "0"},
	{"ipv4/conf/all/send_redirects", "0"},
	{"ipv4/conf/default/send_redirects", "0"},
	{"ipv4/icmp_ratemask", "2147483647"},
	{"ipv4/icmp_ratelimit", "2147483647"},
};

static int set_one(const char *path, const char *value);
static int ethtool(int fd, const char *name, void *request);
static int n_features(int fd, const char *name, unsigned *n);
static int switch_off(int fd, const char *name, unsigned n);
static bool is_offload(const char *feature);

int quiet_namespace(void)
{
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		int err = set_one(settings[i].path, settings[i].value);

		if (err && err != -ENOENT)
			return err;
	}
	return 0;
}

int quiet_interface(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned n = 0;
	int err;

	if (fd < 0)
		return -errno;
	err = n_features(fd, name, &n);
	if (!err)
		err = switch_off(fd, name, n);
	close(fd);
	return err;
}

static int set_one(const char *path, const char *value)
{
	char full[128];
	ssize_t n;
	int fd, err = 0;

	snprintf(full, sizeof full, "/proc/sys/net/%s", path);
	fd = open(full, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, value, strlen(value));
	if (n < 0)
		err = -errno;
	close(fd);
	return err;
}

static int ethtool(int fd, const char *name, void *request)
{
	struct ifreq ifr = {.ifr_data = request};

	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
	return ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

static int n_features(int fd, const char *name, unsigned *n)
{
	union {
		struct ethtool_sset_info info;
		uint8_t room[sizeof(struct ethtool_sset_info) +
			     sizeof(uint32_t)]; /* one answer behind it */
	} q = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1u << ETH_SS_FEATURES}};
	int err = ethtool(fd, name, &q);

	*n = err || !q.info.sset_mask ? 0 : q.info.data[0];
	return err ? err : *n > 0 && *n < 4096 ? 0 : -EOPNOTSUPP;
}

static int switch_off(int fd, const char *name, unsigned n)
{
	unsigned words = (n + 31) / 32;
	struct ethtool_gstrings *names = calloc(1, sizeof *names + (size_t)n * ETH_GSTRING_LEN);
	struct ethtool_sfeatures *set = calloc(1, sizeof *set + words * sizeof set->features[0]);
	int err = -ENOMEM;

	if (!names || !set)
		goto out;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = n;
	err = ethtool(fd, name, names);
	if (err)
		goto out;
	set->cmd = ETHTOOL_SFEATURES;
	set->size = words;
	for (unsigned i = 0; i < n; i++)
		if (is_offload((const char *)names->data + (size_t)i * ETH_GSTRING_LEN))
			set->features[i / 32].valid |= 1u << (i % 32);
	err = ethtool(fd, name, set);
out:
	free(names);
	free(set);
	return err;
}

static bool is_offload(const char *feature)
{
	static const char *const begins[] = {"tx-checksum-ip-generic", "tx-checksum-ipv4",
		"tx-checksum-ipv6", "rx-checksum", "tx-scatter-gather", "tx-tcp", "tx-udp",
		"tx-generic-segmentation", "tx-gso", "rx-gro", "rx-udp-gro"};

	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
		if (strncmp(feature, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}
