/*
 * pcap: see pcap.h. Non-blocking, nanosecond stamps where libpcap has them, whole frames.
 */
#include "netns/pcap.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#define SNAP_BYTES 262144
#define BUFFER_BYTES (16 << 20)

struct pcap_source {
	pcap_t *p;
	bool is_nano;
};

static int set_up(struct pcap_source *s, const char *interface, char *why);
static int errno_of(int code);

int pcap_source_open(struct pcap_source **out, const char *interface, char why[PCAP_WHY_MAX])
{
	char text[PCAP_ERRBUF_SIZE] = "";
	struct pcap_source *s = calloc(1, sizeof *s);
	int err;

	if (!s)
		return -ENOMEM;
	s->p = pcap_create(interface, text);
	snprintf(why, PCAP_WHY_MAX, "%s", text);
	err = s->p ? set_up(s, interface, why) : -EIO;
	if (err) {
		pcap_source_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void pcap_source_close(struct pcap_source *s)
{
	if (!s)
		return;
	if (s->p)
		pcap_close(s->p);
	free(s);
}

int pcap_source_fd(const struct pcap_source *s)
{
	return pcap_get_selectable_fd(s->p);
}

int pcap_source_read(struct pcap_source *s, struct capture_frame *f)
{
	struct pcap_pkthdr *h;
	const u_char *bytes;
	int got = pcap_next_ex(s->p, &h, &bytes);

	if (got < 0)
		return -EIO;
	if (got == 0)
		return 0;
	*f = (struct capture_frame){.bytes = view_of(bytes, h->caplen)};
	f->unix_ns = (int64_t)h->ts.tv_sec * 1000000000 +
		     (int64_t)h->ts.tv_usec * (s->is_nano ? 1 : 1000);
	return 1;
}

static int set_up(struct pcap_source *s, const char *interface, char *why)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	int code;

	pcap_set_snaplen(s->p, SNAP_BYTES);
	pcap_set_promisc(s->p, 0);
	pcap_set_immediate_mode(s->p, 1);
	pcap_set_buffer_size(s->p, BUFFER_BYTES);
	s->is_nano = pcap_set_tstamp_precision(s->p, PCAP_TSTAMP_PRECISION_NANO) == 0;
	code = pcap_activate(s->p);
	if (code < 0) {
		const char *more = pcap_geterr(s->p);

		snprintf(why, PCAP_WHY_MAX, "%s", more[0] ? more : pcap_statustostr(code));
		return errno_of(code);
	}
	if (pcap_datalink(s->p) != DLT_EN10MB) {
		snprintf(why, PCAP_WHY_MAX, "%s: not an Ethernet interface", interface);
		return -ENODEV;
	}
	if (pcap_setnonblock(s->p, 1, text) < 0) {
		snprintf(why, PCAP_WHY_MAX, "%s", text);
		return -EIO;
	}
	return 0;
}

static int errno_of(int code)
{
	if (code == PCAP_ERROR_PERM_DENIED)
		return -EPERM;
	return code == PCAP_ERROR_NO_SUCH_DEVICE ? -ENODEV : -EIO;
}
