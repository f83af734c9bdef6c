/* Key files: mode 0600 when made, refused when others may read secrets or write anything. */
#include "dtn/io/keyfile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];

static void in_folder(void)
{
	snprintf(folder, sizeof folder, "/tmp/owlt-keyfile-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/keys", folder);
}

static void gone(void)
{
	unlink(path);
	rmdir(folder);
}

static int load(struct keyring_fault *fault)
{
	struct keyring *r;
	int err = keyfile_load(path, &r, fault);

	cr_assert(!err == !!r);
	keyring_free(r);
	return err;
}

static void write_text(const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

Test(keyfile, made_and_added_to, .init = in_folder, .fini = gone)
{
	struct keyring_fault fault;
	struct key key = {.kind = KEY_AES128, .id = "one"};
	struct keyring *r;
	struct stat st;

	umask(0);
	cr_expect_eq(load(&fault), -ENOENT);
	cr_expect(*fault.text);
	cr_assert_eq(key_make(&key), 0);
	cr_assert_eq(keyfile_add(path, &key, &fault), 0, "%s", fault.text);
	cr_expect_eq(keyfile_add(path, &key, &fault), -E_DUPLICATE);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	snprintf(key.id, sizeof key.id, "two");
	cr_assert_eq(keyfile_add(path, &key, &fault), 0);
	cr_assert_eq(keyfile_load(path, &r, &fault), 0);
	cr_expect_eq(keyring_count(r), 2);
	cr_expect(memcmp(keyring_at(r, 1)->secret, key.secret, 16) == 0);
	keyring_free(r);
}

Test(keyfile, permissions, .init = in_folder, .fini = gone)
{
	static const struct {
		mode_t mode;
		int secret, open;
	} rows[] = {{0600, 0, 0}, {0400, 0, 0}, {0640, -EACCES, 0}, {0604, -EACCES, 0},
		{0644, -EACCES, 0}, {0610, -EACCES, 0}, {0620, -EACCES, -EACCES},
		{0602, -EACCES, -EACCES}, {0666, -EACCES, -EACCES}};
	struct keyring_fault fault;

	for (unsigned pass = 0; pass < 2; pass++) {
		write_text(pass ? "{\"keys\":[]}"
				: "{\"keys\":[{\"id\":\"a\",\"kind\":\"aes128\",\"secret\":"
				  "\"00112233445566778899aabbccddeeff\"}]}");
		for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++) {
			cr_assert_eq(chmod(path, rows[k].mode), 0);
			cr_expect_eq(load(&fault), pass ? rows[k].open : rows[k].secret, "%o: %s",
				rows[k].mode, fault.text);
		}
		cr_assert_eq(chmod(path, 0600), 0);
	}
	if (geteuid() == 0) { /* somebody else's */
		cr_assert_eq(chown(path, 65534, 65534), 0);
		cr_expect_eq(seteuid(65533), 0);
		int err = load(&fault);
		cr_expect(err == -EACCES, "%s", err_name(err));
		cr_expect_eq(seteuid(0), 0);
		cr_expect_eq(load(&fault), -EACCES); /* root asks for its own */
	}
}

Test(keyfile, other_refusals, .init = in_folder, .fini = gone)
{
	struct keyring_fault fault;
	struct key key = {.kind = KEY_AES128, .id = "one"};

	write_text("{\"keys\":[\n{}]}");
	cr_assert_eq(chmod(path, 0600), 0);
	cr_expect_eq(load(&fault), -E_CONFIG);
	cr_expect(strstr(fault.text, "key 0"), "%s", fault.text);
	cr_expect_eq(keyfile_add(path, &key, &fault), -E_CONFIG);
	FILE *f = fopen(path, "w");
	cr_assert_not_null(f);
	for (size_t k = 0; k <= KEYFILE_MAX; k++)
		fputc(' ', f);
	fclose(f);
	cr_expect_eq(load(&fault), -E_LIMIT);
	unlink(path);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_eq(load(&fault), -EACCES); /* no plain file */
	rmdir(path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(load(&fault), -EACCES); /* and it does not wait for a writer */
}
