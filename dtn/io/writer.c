/*
 * writer: one job slot, a mutex and a condition; the only locks of a node. `job` belongs to the
 * thread from writer_start() until `is_done`, to the loop otherwise. The eventfd wakes the loop. Who is woken
 * takes the lock first thing, so it is not held by the one who wakes: that would be one sleep more.
 */
#include "dtn/io/writer.h"

#include "dtn/store/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct writer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct store_batch *job;
	int err;
	bool has_job, is_done, is_ending;
	bool is_busy; /* the loop's own: a job was given and not taken back */
	int fd;
};

static void *writer_main(void *arg);

int writer_open(struct writer **out)
{
	struct writer *w = calloc(1, sizeof *w);
	int err;

	*out = NULL;
	if (!w)
		return -ENOMEM;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = w->fd < 0 ? errno : pthread_create(&w->thread, NULL, writer_main, w);
	if (err) {
		if (w->fd >= 0)
			close(w->fd);
		free(w);
		return -err;
	}
	*out = w;
	return 0;
}

void writer_close(struct writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->is_ending = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	close(w->fd);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int writer_fd(const struct writer *w)
{
	return w->fd;
}

bool writer_is_busy(const struct writer *w)
{
	return w->is_busy;
}

void writer_start(struct writer *w, struct store_batch *b)
{
	assert(!w->is_busy);
	w->is_busy = true;
	pthread_mutex_lock(&w->lock);
	w->job = b;
	w->has_job = true;
	w->is_done = false;
	pthread_mutex_unlock(&w->lock);
	pthread_cond_signal(&w->changed);
}

bool writer_take(struct writer *w, bool wait, struct store_batch **b, int *err)
{
	uint64_t n;
	bool done;

	if (read(w->fd, &n, sizeof n) < 0) {
		/* not told yet: `is_done` is what counts. What is told later is read here by the next */
	}
	if (!w->is_busy)
		return false;
	pthread_mutex_lock(&w->lock);
	while (wait && !w->is_done)
		pthread_cond_wait(&w->changed, &w->lock);
	done = w->is_done;
	*b = w->job;
	*err = w->err;
	pthread_mutex_unlock(&w->lock);
	w->is_busy = !done;
	return done;
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;
	uint64_t one = 1;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->has_job && !w->is_ending)
			pthread_cond_wait(&w->changed, &w->lock);
		if (!w->has_job)
			break;
		pthread_mutex_unlock(&w->lock);
		int err = store_commit_run(w->job);
		pthread_mutex_lock(&w->lock);
		w->err = err;
		w->has_job = false;
		w->is_done = true;
		pthread_mutex_unlock(&w->lock);
		pthread_cond_signal(&w->changed);
		if (write(w->fd, &one, sizeof one) < 0) {
			/* an eventfd takes eight bytes unless it would overflow */
		}
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}
