/*
 * What reads files and sockets: captures, key files, datagram rooms, and a client of a node that here
 * is a thread which says WELCOME and answers every request with DONE.
 */
#include "dtn/client/owlt.h"
#include "dtn/client/proto.h"
#include "dtn/io/file.h"
#include "dtn/io/keyfile.h"
#include "dtn/io/udp.h"
#include "netns/capture.h"
#include "tests/unit/alloc/fail.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void file_make(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
	cr_assert_eq(chmod(path, 0600), 0);
}

Test(alloc, files)
{
	char path[] = "build/alloc-file-XXXXXX";

	cr_assert_geq(mkstemp(path), 0);
	file_make(path, "{\"keys\":[{\"id\":\"a\",\"kind\":\"aes128\",\"secret\":"
			"\"71776572747975696f70617364666768\"}]}");
	FAIL_EACH(k)
	{
		struct keyring_fault fault;
		struct keyring *ring = NULL;
		int err = keyfile_load(path, &ring, &fault);

		keyring_free(ring);
		fail_judge(&k, err);
	}
	FAIL_EACH(k)
	{
		struct view text = {0};
		int err = file_load(path, 1 << 20, &text);

		free((void *)(uintptr_t)text.p);
		fail_judge(&k, err);
	}
	unlink(path);
}

Test(alloc, captures)
{
	char path[] = "build/alloc-capture-XXXXXX";

	cr_assert_geq(mkstemp(path), 0);
	FAIL_EACH(k)
	{
		struct capture_frame f = {.bytes = view_text("frame")}, got;
		struct capture_reader *r = NULL;
		struct capture *c = NULL;
		int err = capture_create(
			&c, path, "note", &(struct capture_limits){.bytes = 1 << 20});

		if (!err) {
			err = capture_interface(c, "eth0");
			if (err >= 0) {
				capture_write(c, &f);
				err = 0;
			}
			int end = capture_close(c);
			err = err ? err : end;
		}
		err = err ? err : capture_open(&r, path);
		if (!err) {
			int n = capture_read(r, &got);

			err = n < 0 ? n : 0;
			cr_assert(err || n == 1);
			capture_reader_close(r);
		}
		fail_judge(&k, err);
	}
	unlink(path);
}

Test(alloc, datagrams)
{
	FAIL_EACH(k)
	{
		struct udp_rx *rx = udp_rx_new();

		if (rx)
			udp_rx_free(rx);
		fail_judge(&k, rx ? 0 : -ENOMEM);
	}
}

static void serve(int fd)
{
	static uint8_t in[PROTO_MESSAGE_MAX], out[1024];

	for (ssize_t n; (n = recv(fd, in, sizeof in, 0)) > 0;) {
		struct proto_msg m, answer = {.type = PROTO_DONE};
		struct buf b = buf_of(out, sizeof out);

		if (proto_read(view_of(in, (size_t)n), &m) != 0)
			break;
		answer.tag = m.tag;
		if (m.type == PROTO_HELLO) {
			answer.type = PROTO_WELCOME;
			answer.version = PROTO_VERSION;
			answer.node = view_text("ipn:1.0");
			answer.speed_ppm = 1000000;
		}
		proto_write(&b, &answer);
		if (send(fd, out, b.len, MSG_NOSIGNAL) < 0)
			break;
	}
	close(fd);
}

static void *server(void *arg)
{
	int fd;

	while ((fd = accept(*(int *)arg, NULL, NULL)) >= 0)
		serve(fd);
	return NULL;
}

Test(alloc, client, .timeout = 60)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	pthread_t t;

	snprintf(a.sun_path, sizeof a.sun_path, "build/alloc-%d.sock", (int)getpid());
	cr_assert_eq(bind(listener, (struct sockaddr *)(void *)&a, sizeof a), 0);
	cr_assert_eq(listen(listener, 8), 0);
	cr_assert_eq(pthread_create(&t, NULL, server, &listener), 0);
	FAIL_EACH(k)
	{
		struct owlt *o = NULL;
		int err = owlt_open(a.sun_path, &o);

		cr_assert(err == 0 || o == NULL);
		err = err ? err : owlt_unregister(o, 3);
		owlt_close(o);
		fail_judge(&k, err);
	}
	shutdown(listener, SHUT_RDWR);
	pthread_join(t, NULL);
	close(listener);
	unlink(a.sun_path);
}
