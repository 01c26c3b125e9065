/* The command line of containerfs: see arguments.h.
 *
 * A long option and its -o word are the same thing: both go through set().
 * Values are checked for their form only; what a bridge or a subnet may be is
 * the network's to say. The later of two wins.
 */
#include "fs/command/arguments.h"

#include "base/num.h"
#include "fs/mountpoint.h"
#include "runtime/config/config.h"

#include <getopt.h>
#include <grp.h>
#include <string.h>

static const char help[] =
	"Usage: containerfs [OPTION]... [SOURCE] MNT\n"
	"Mount a container engine on the directory MNT and serve it in the background.\n"
	"\n"
	"  -f, --foreground     stay in the foreground; log to standard error too\n"
	"      --root DIR       images, containers, volumes and logs\n"
	"                       (default /var/lib/containerfs)\n"
	"      --run DIR        what lives as long as the boot (default /run/containerfs)\n"
	"      --bridge NAME    network bridge of the containers\n"
	"      --subnet CIDR    addresses of the containers\n"
	"      --icc=false      containers do not reach each other, but by links\n"
	"      --registry HOST  where images named without a host come from\n"
	"                       (default docker.io)\n"
	"      --log-opt K=V    for containers' logs: max-size=256m, max-file=4\n"
	"      --image-limit K=V\n"
	"                       of an archive that comes in: size=1t, files=10000000,\n"
	"                       depth=256, path=4094\n"
	"  -o OPTION,...        root=, run=, bridge=, subnet=, icc=, registry=, log-opt=,\n"
	"                       image-limit= as above;\n"
	"                       gid=GROUP: let a group in, which gives it root's power;\n"
	"                       the general words of mount(8) are taken too\n"
	"  -h, --help           show this\n"
	"  -V, --version        show the version\n"
	"\n"
	"SOURCE is what the mount table shows. After the mount: cat MNT/help\n"
	"End it with: umount MNT. The containers run on.\n";

enum {
	OPT_ROOT = 256,
	OPT_RUN,
	OPT_BRIDGE,
	OPT_SUBNET,
	OPT_ICC,
	OPT_REGISTRY,
	OPT_GID, /* -o only */
	OPT_LOG_OPT,
	OPT_IMAGE_LIMIT
};

static const struct option long_options[] = {
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "bridge", required_argument, NULL, OPT_BRIDGE },
	{ "subnet", required_argument, NULL, OPT_SUBNET },
	{ "icc", optional_argument, NULL, OPT_ICC },
	{ "registry", required_argument, NULL, OPT_REGISTRY },
	{ "log-opt", required_argument, NULL, OPT_LOG_OPT },
	{ "image-limit", required_argument, NULL, OPT_IMAGE_LIMIT },
	{ "foreground", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* -o words with a value. */
static const struct {
	const char *name;
	int option;
} mount_options[] = {
	{ "root", OPT_ROOT },     { "run", OPT_RUN },         { "bridge", OPT_BRIDGE },
	{ "subnet", OPT_SUBNET }, { "icc", OPT_ICC },         { "registry", OPT_REGISTRY },
	{ "gid", OPT_GID },       { "log-opt", OPT_LOG_OPT }, { "image-limit", OPT_IMAGE_LIMIT },
};

/* What mount(8), mount.fuse3(8) and fstab(5) hand on and what is always so.
 * Source: mount(8), "Filesystem-independent mount options"; mount.fuse3 adds
 * "dev" and "suid" by itself. */
static const char *const skipped_words[] = {
	"rw",
	"defaults",
	"auto",
	"noauto",
	"user",
	"nouser",
	"users",
	"owner",
	"group",
	"nofail",
	"_netdev",
	"dev",
	"nodev",
	"suid",
	"nosuid",
	"exec",
	"noexec",
	"async",
	"atime",
	"noatime",
	"diratime",
	"nodiratime",
	"relatime",
	"norelatime",
	"lazytime",
	"silent",
	"loud",
	"nolazytime",
	"strictatime",
	"nostrictatime",
	"default_permissions",
	"allow_other",
};

static int set_text(char **field, const char *name, const char *value, struct error *err)
{
	char *copy;

	if (!*value)
		return error_set(err, EINVAL, "option '%s' needs a value", name);
	copy = strdup(value);
	if (!copy)
		return error_set_sys(err, ENOMEM, "cannot take option '%s'", name);
	free(*field);
	*field = copy;
	return 0;
}

static int set_path(char **field, const char *name, const char *value, struct error *err)
{
	char *path = NULL;
	int r;

	if (!*value)
		return error_set(err, EINVAL, "option '%s' needs a value", name);
	r = mountpoint_resolve_path(value, &path, err);
	if (r < 0)
		return r;
	free(*field);
	*field = path;
	return 0;
}

static int set_gid(struct arguments *arguments, const char *value, struct error *err)
{
	const struct group *group;
	uint64_t number;

	if (num_parse_u64(value, 0, UINT32_MAX - 1, &number) == 0) {
		arguments->gid = (gid_t)number;
	} else {
		group = *value ? getgrnam(value) : NULL;
		if (!group)
			return error_set(err, ENOENT, "option 'gid': no such group: '%s'", value);
		arguments->gid = group->gr_gid;
	}
	arguments->has_gid = true;
	return 0;
}

/* Docker's word for "containers reach each other". */
static int set_icc(struct arguments *arguments, const char *value, struct error *err)
{
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return error_set(err, EINVAL, "option 'icc': '%s' is neither true nor false",
				 value);
	arguments->isolated = strcmp(value, "false") == 0;
	return 0;
}

static int add_log_opt(struct arguments *arguments, const char *value, struct error *err)
{
	const char *equals = strchr(value, '=');
	char **list;
	int r;

	if (!equals || equals == value || !equals[1])
		return error_set(err, EINVAL, "option 'log-opt': '%s' is not KEY=VALUE", value);
	r = config_check_log_opt(value, err);
	if (r < 0)
		return error_wrap(err, r, "option 'log-opt'");
	list = reallocarray(arguments->log_opts, arguments->log_opt_count + 2, sizeof(*list));
	if (!list)
		return error_set_sys(err, ENOMEM, "cannot take option 'log-opt'");
	arguments->log_opts = list;
	list[arguments->log_opt_count] = strdup(value);
	if (!list[arguments->log_opt_count])
		return error_set_sys(err, ENOMEM, "cannot take option 'log-opt'");
	list[++arguments->log_opt_count] = NULL;
	return 0;
}

static int set(struct arguments *arguments, int option, const char *value, struct error *err)
{
	switch (option) {
	case OPT_ROOT:
		return set_path(&arguments->root, "root", value, err);
	case OPT_RUN:
		return set_path(&arguments->run, "run", value, err);
	case OPT_BRIDGE:
		return set_text(&arguments->bridge, "bridge", value, err);
	case OPT_SUBNET:
		return set_text(&arguments->subnet, "subnet", value, err);
	case OPT_ICC:
		return set_icc(arguments, value ? value : "true", err);
	case OPT_REGISTRY:
		return set_text(&arguments->registry, "registry", value, err);
	case OPT_GID:
		return set_gid(arguments, value, err);
	case OPT_IMAGE_LIMIT:
		return error_wrap(err, limits_parse(value, &arguments->image_limits, err),
				  "option 'image-limit'");
	default:
		return add_log_opt(arguments, value, err);
	}
}

/* --- -o ------------------------------------------------------------------- */

static bool is_skipped(const char *word)
{
	if (strncmp(word, "x-", 2) == 0 || strncmp(word, "X-", 2) == 0 ||
	    strncmp(word, "comment=", 8) == 0 || !*word)
		return true;
	for (size_t i = 0; i < sizeof(skipped_words) / sizeof(*skipped_words); i++)
		if (strcmp(word, skipped_words[i]) == 0)
			return true;
	return false;
}

static int parse_mount_word(struct arguments *arguments, char *word, struct error *err)
{
	char *value = word;
	const char *name = strsep(&value, "=");

	for (size_t i = 0; value && i < sizeof(mount_options) / sizeof(*mount_options); i++)
		if (strcmp(name, mount_options[i].name) == 0)
			return set(arguments, mount_options[i].option, value, err);
	if (value)
		value[-1] = '=';
	if (is_skipped(word))
		return 0;
	if (strcmp(word, "ro") == 0)
		return error_set(err, EINVAL, "-o ro: this mount cannot be read-only");
	return error_set(err, EINVAL, "unknown option '-o %s'; see containerfs --help", word);
}

static int parse_mount_words(struct arguments *arguments, const char *text, struct error *err)
{
	auto_free char *copy = strdup(text);
	char *rest = copy, *word;
	int r = 0;

	if (!copy)
		return error_set_sys(err, ENOMEM, "cannot take option '-o'");
	while (r == 0 && (word = strsep(&rest, ",")))
		r = parse_mount_word(arguments, word, err);
	return r;
}

/* --- words ---------------------------------------------------------------- */

static bool is_mount_helper(const char *program)
{
	const char *slash = strrchr(program, '/');

	return strncmp(slash ? slash + 1 : program, "mount.", 6) == 0;
}

static int refuse(int option, char *const *argv, struct error *err)
{
	const char *problem = option == ':' ? "needs a value" : "is unknown or takes no value";

	/* For a long option optopt is its value, or 0. */
	if (optopt > 0 && optopt < OPT_ROOT)
		return error_set(err, EINVAL, "option '-%c' %s; see containerfs --help", optopt,
				 problem);
	return error_set(err, EINVAL, "option '%s' %s; see containerfs --help", argv[optind - 1],
			 problem);
}

static int take_option(struct arguments *arguments, bool helper, int option, char *const *argv,
		       struct error *err)
{
	switch (option) {
	case 'f':
		*(helper ? &arguments->fake : &arguments->foreground) = true;
		return 0;
	case 'h':
		arguments->help = true;
		return 0;
	case 'V':
		arguments->version = true;
		return 0;
	case 'o':
		return parse_mount_words(arguments, optarg, err);
	case 'n':
	case 's':
	case 't':
	case 'v':
		return 0;
	case ':':
	case '?':
		return refuse(option, argv, err);
	default:
		return set(arguments, option, optarg, err);
	}
}

static int take_names(struct arguments *arguments, int argc, char **argv, struct error *err)
{
	int count = argc - optind, r;

	if (count < 1)
		return error_set(err, EINVAL,
				 "the directory to mount on is missing; see containerfs --help");
	if (count > 2)
		return error_set(err, EINVAL, "one word too many: '%s'; see containerfs --help",
				 argv[optind + 2]);
	if (count == 2) {
		r = set_text(&arguments->source, "SOURCE", argv[optind], err);
		if (r < 0)
			return r;
	}
	return set_path(&arguments->mnt, "MNT", argv[argc - 1], err);
}

static int set_defaults(struct arguments *arguments, struct error *err)
{
	int r = 0;

	if (!arguments->source)
		r = set_text(&arguments->source, "SOURCE", "containerfs", err);
	if (r == 0 && !arguments->registry)
		r = set_text(&arguments->registry, "registry", "docker.io", err);
	if (r == 0 && !arguments->root)
		r = set_path(&arguments->root, "root", "/var/lib/containerfs", err);
	if (r == 0 && !arguments->run)
		r = set_path(&arguments->run, "run", "/run/containerfs", err);
	if (r == 0 && !arguments->log_opts) {
		arguments->log_opts = calloc(1, sizeof(*arguments->log_opts));
		if (!arguments->log_opts)
			r = error_set_sys(err, ENOMEM, "cannot take the options");
	}
	return r;
}

int arguments_parse(int argc, char **argv, struct arguments *ret, struct error *err)
{
	AUTO(arguments_deinit) struct arguments arguments = ARGUMENTS_INIT;
	bool helper = is_mount_helper(argv[0]);
	const char *shorts = helper ? ":fo:hVnsvt:" : ":fo:hV";
	int option, r = 0;

	optind = 0; /* glibc: start anew */
	opterr = 0;
	while (r == 0 && (option = getopt_long(argc, argv, shorts, long_options, NULL)) != -1)
		r = take_option(&arguments, helper, option, argv, err);
	if (r == 0 && !arguments.help && !arguments.version) {
		r = take_names(&arguments, argc, argv, err);
		if (r == 0)
			r = set_defaults(&arguments, err);
	}
	if (r < 0)
		return r;
	*ret = arguments;
	arguments = (struct arguments)ARGUMENTS_INIT;
	return 0;
}

void arguments_deinit(struct arguments *arguments)
{
	free(arguments->root);
	free(arguments->run);
	free(arguments->mnt);
	free(arguments->source);
	free(arguments->bridge);
	free(arguments->subnet);
	free(arguments->registry);
	for (size_t i = 0; i < arguments->log_opt_count; i++)
		free(arguments->log_opts[i]);
	free(arguments->log_opts);
	*arguments = (struct arguments)ARGUMENTS_INIT;
}

void arguments_print_help(FILE *out)
{
	fputs(help, out);
}
