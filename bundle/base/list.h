/*
 * list: doubly linked, intrusive; the head is a link of its own. A link that is in no list points
 * at itself, so link_is_out() can be asked and list_remove() may be called twice.
 */
#ifndef OWLT_BASE_LIST_H
#define OWLT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link_node {
	struct link_node *prev, *next;
};

/* The struct that holds `member` at address `ptr`. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct link_node *head)
{
	head->prev = head->next = head;
}

static inline bool list_empty(const struct link_node *head)
{
	return head->next == head;
}

/* Puts a link that is in no list before `at`; before the head means last. */
static inline void list_insert_before(struct link_node *at, struct link_node *n)
{
	n->prev = at->prev;
	n->next = at;
	at->prev->next = n;
	at->prev = n;
}

static inline void list_push_back(struct link_node *head, struct link_node *n)
{
	list_insert_before(head, n);
}

static inline void list_push_front(struct link_node *head, struct link_node *n)
{
	list_insert_before(head->next, n);
}

static inline void list_remove(struct link_node *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* All of another list, in its order, to the end of this one. */
static inline void list_move_all(struct link_node *head, struct link_node *from)
{
	if (list_empty(from))
		return;
	from->next->prev = head->prev;
	from->prev->next = head;
	head->prev->next = from->next;
	head->prev = from->prev;
	list_init(from);
}

/* The first link, taken out; NULL when empty. */
static inline struct link_node *list_pop_front(struct link_node *head)
{
	struct link_node *n = head->next;

	if (n == head)
		return NULL;
	list_remove(n);
	return n;
}

#endif
