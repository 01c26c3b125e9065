/* Configurations: taking a patch, merging an image, decoding, environment, names, signals. */
#include "tests/test.h"

#include "runtime/config.h"
#include "tests/alloc_sweep.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* JSON with ' for ", so that it can be read here. */
static json_t *parse(const char *text)
{
	auto_free char *copy = strdup(text);
	struct error err = ERROR_INIT;
	json_t *value = NULL;

	for (char *at = copy; *at; at++) {
		if (*at == '\'')
			*at = '"';
	}
	assert_ok(json_parse_text(copy, strlen(copy), &value, &err), &err);
	return value;
}

static void assert_json(const json_t *value, const char *want)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;

	assert_ok(json_render(value, 0, &text, &err), &err);
	for (char *at = text.data; *at; at++) {
		if (*at == '"')
			*at = '\'';
	}
	assert_string_equal(text.data, want);
}

static json_t *apply(const char *asked, const char *patch, bool running)
{
	auto_json json_t *old = asked ? parse(asked) : NULL;
	auto_json json_t *change = parse(patch);
	struct error err = ERROR_INIT;
	json_t *config = NULL;

	assert_ok(config_apply(old, change, running, &config, &err), &err);
	return config;
}

static void check_apply(const char *asked, const char *patch, bool running, const char *want)
{
	auto_json json_t *config = apply(asked, patch, running);

	assert_json(config, want);
}

static void check_refused(const char *asked, const char *patch, bool running, int code,
			  const char *msg)
{
	auto_json json_t *old = asked ? parse(asked) : NULL;
	auto_json json_t *change = parse(patch);
	struct error err = ERROR_INIT;
	json_t *config = NULL;

	assert_error(config_apply(old, change, running, &config, &err), &err, code, msg);
	assert_null(config);
}

/* --- config_apply: forms --------------------------------------------------- */

static void test_empty(void **state)
{
	(void)state;
	check_apply(NULL, "{}", false, "{}");
	check_apply(NULL, "{'HostConfig': {}}", false, "{}");
	check_apply(NULL, "{'HostConfig': null, 'Tty': null}", false, "{}");
	check_refused(NULL, "[]", false, EINVAL, "a configuration must be a JSON object");
	check_refused(NULL, "{'HostConfig': 5}", false, EINVAL, "HostConfig must be an object");
}

static void test_every_key(void **state)
{
	static const char all[] =
		"{'Hostname':'h','Domainname':'d.e','User':'u:g','Memory':524288,"
		"'MemorySwap':-1,'CpuShares':2,'AttachStdin':true,'AttachStdout':true,"
		"'AttachStderr':true,'ExposedPorts':{'80/tcp':{}},'Tty':true,'OpenStdin':true,"
		"'StdinOnce':true,'Env':['A=1','B'],'Cmd':['a','b'],'Dns':['1.1.1.1','::1'],"
		"'Image':'a:1','Volumes':{'/v':{}},'VolumesFrom':['c:ro'],'WorkingDir':'/w',"
		"'Entrypoint':['e'],'NetworkDisabled':true,'Labels':{'k':'v'},'StopSignal':'HUP',"
		"'StopTimeout':5,'HostConfig':{'Binds':['/a:/b:ro'],'ContainerIDFile':'/f',"
		"'LogConfig':{'Type':'json-file','Config':{'max-size':'1m','max-file':'3'}},"
		"'NetworkMode':'none','PortBindings':{'80/tcp':[{'HostIp':'1.2.3.4',"
		"'HostPort':'8080'}]},'RestartPolicy':{'Name':'on-failure','MaximumRetryCount':3},"
		"'AutoRemove':false,'CapAdd':['NET_ADMIN'],'CapDrop':['ALL'],'DnsOptions':['ndots:"
		"1'],"
		"'DnsSearch':['.'],'ExtraHosts':['h:1.2.3.4'],'Links':['a:b'],'Privileged':true,"
		"'PublishAllPorts':true,'ReadonlyRootfs':true,'SecurityOpt':['no-new-privileges'],"
		"'Tmpfs':{'/"
		"t':'size=1m'},'Sysctls':{'net.core.somaxconn':'1'},'NanoCpus':1500000000,"
		"'PidsLimit':10,'Ulimits':[{'Name':'nofile','Soft':1,'Hard':2}],"
		"'Mounts':[{'Type':'bind','Source':'/a','Target':'/"
		"b','ReadOnly':true}],'Init':true}}";

	(void)state;
	check_apply(NULL, all, false, all);
	/* Written again, also while it runs. */
	check_apply(all, all, true, all);
}

static void test_places(void **state)
{
	(void)state;
	check_apply(NULL,
		    "{'HostConfig':{'Memory':1048576,'MemorySwap':-1,'CpuShares':5,"
		    "'Dns':['1.1.1.1'],'VolumesFrom':['a'],'Init':true}}",
		    false,
		    "{'Memory':1048576,'MemorySwap':-1,'CpuShares':5,'Dns':['1.1.1.1'],"
		    "'VolumesFrom':['a'],'HostConfig':{'Init':true}}");
	check_apply("{'Memory':1048576}", "{'HostConfig':{'Memory':null}}", false, "{}");
	/* Another policy has no count, also when the old one had. */
	check_apply("{'HostConfig':{'RestartPolicy':{'Name':'on-failure','MaximumRetryCount':3}}}",
		    "{'HostConfig':{'RestartPolicy':{'Name':'always'}}}", true,
		    "{'HostConfig':{'RestartPolicy':{'Name':'always'}}}");
	check_apply("{'HostConfig':{'RestartPolicy':{'Name':'on-failure','MaximumRetryCount':3}}}",
		    "{'HostConfig':{'RestartPolicy':{'Name':'on-failure'}}}", true,
		    "{'HostConfig':{'RestartPolicy':{'Name':'on-failure','MaximumRetryCount':3}}}");
	check_apply(NULL, "{'Memory':1048576,'HostConfig':{'Memory':1048576}}", false,
		    "{'Memory':1048576}");
	check_refused(NULL, "{'Memory':1048576,'HostConfig':{'Memory':0}}", false, EINVAL,
		      "Memory is given twice, outside and in HostConfig");
	check_refused(NULL, "{'PidsLimit':5}", false, EINVAL,
		      "unknown key 'PidsLimit' outside HostConfig; it belongs in HostConfig");
	check_refused(NULL, "{'HostConfig':{'Cmd':['a']}}", false, EINVAL,
		      "unknown key 'Cmd' in HostConfig; it belongs outside");
	check_refused(NULL, "{'Memroy':5}", false, EINVAL, "unknown key 'Memroy'");
	check_refused(NULL, "{'memory':5}", false, EINVAL, "unknown key 'memory'");
	check_refused(NULL, "{'Memroy':null}", false, EINVAL, "unknown key 'Memroy'");
	check_refused(NULL, "{'HostConfig':{'Foo\\nBar':1}}", false, EINVAL,
		      "unknown key 'Foo\\x0aBar'");
}

static void test_merge_rules(void **state)
{
	(void)state;
	check_apply("{'Tty':true,'User':'a'}", "{'User':'b'}", false, "{'User':'b','Tty':true}");
	check_apply("{'Tty':true,'User':'a'}", "{'User':null}", false, "{'Tty':true}");
	check_apply("{'Env':['A=1','B=2']}", "{'Env':['C=3']}", false, "{'Env':['C=3']}");
	check_apply("{'Labels':{'a':'1','b':'2'}}", "{'Labels':{'a':null,'c':'3'}}", false,
		    "{'Labels':{'b':'2','c':'3'}}");
	check_apply("{'HostConfig':{'Init':true,'PidsLimit':5}}", "{'HostConfig':{'Init':null}}",
		    false, "{'HostConfig':{'PidsLimit':5}}");
	check_apply("{'HostConfig':{'Init':true}}", "{'HostConfig':null}", false, "{}");
	check_apply("{'ExposedPorts':{'80/tcp':{}}}", "{'ExposedPorts':{'80':null,'53/UDP':{}}}",
		    false, "{'ExposedPorts':{'53/udp':{}}}");
}

static void test_stored_forms(void **state)
{
	(void)state;
	check_apply(NULL, "{'Cmd':'ls -l','Entrypoint':'a b'}", false,
		    "{'Cmd':['ls -l'],'Entrypoint':['a b']}");
	check_apply(NULL, "{'Cmd':[],'Entrypoint':[]}", false, "{'Cmd':[],'Entrypoint':[]}");
	check_apply(NULL, "{'ExposedPorts':{'80':{},'081/TCP':{}}}", false,
		    "{'ExposedPorts':{'80/tcp':{},'81/tcp':{}}}");
	check_apply(NULL, "{'HostConfig':{'PortBindings':{'80':[{'HostPort':''}]}}}", false,
		    "{'HostConfig':{'PortBindings':{'80/tcp':[{'HostPort':''}]}}}");
	check_apply(NULL, "{'HostConfig':{'Init':false},'Tty':false,'User':''}", false,
		    "{'User':'','Tty':false,'HostConfig':{'Init':false}}");
}

/* --- config_apply: values --------------------------------------------------- */

static void test_types(void **state)
{
	static const struct {
		const char *patch, *msg;
	} cases[] = {
		{ "{'Memory':'512m'}", "Memory must be a number" },
		{ "{'Memory':1048576.0}", "Memory must be a number" },
		{ "{'Memory':true}", "Memory must be a number" },
		{ "{'Tty':1}", "Tty must be true or false" },
		{ "{'Tty':'true'}", "Tty must be true or false" },
		{ "{'Hostname':5}", "Hostname must be a string" },
		{ "{'Env':'A=1'}", "Env must be a list of strings" },
		{ "{'Env':['A=1',5]}", "Env must be a list of strings" },
		{ "{'Env':['A=1',null]}", "Env must be a list of strings" },
		{ "{'Env':{}}", "Env must be a list of strings" },
		{ "{'Cmd':5}", "Cmd must be a list of strings or a string" },
		{ "{'Cmd':[['a']]}", "Cmd must be a list of strings or a string" },
		{ "{'Dns':'1.1.1.1'}", "Dns must be a list of strings" },
		{ "{'VolumesFrom':'a'}", "VolumesFrom must be a list of strings" },
		{ "{'Volumes':['/a']}", "Volumes must be an object" },
		{ "{'Volumes':{'/a':'b'}}", "Volumes: the value of '/a' must be {}" },
		{ "{'Volumes':{'/a':{'b':1}}}", "Volumes: the value of '/a' must be {}" },
		{ "{'Labels':{'a':5}}", "Labels: the value of 'a' must be a string" },
		{ "{'Labels':['a']}", "Labels must be an object" },
		{ "{'HostConfig':{'Ulimits':[5]}}", "Ulimits must be a list of objects" },
		{ "{'HostConfig':{'Mounts':{}}}", "Mounts must be a list of objects" },
		{ "{'HostConfig':{'PortBindings':[]}}", "PortBindings must be an object" },
		{ "{'HostConfig':{'RestartPolicy':'always'}}", "RestartPolicy must be an object" },
		{ "{'HostConfig':{'PidsLimit':'5'}}", "PidsLimit must be a number" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_refused(NULL, cases[i].patch, false, EINVAL, cases[i].msg);
}

static void test_numbers(void **state)
{
	static const char *const good[] = {
		"{'Memory':0}",
		"{'Memory':524288}",
		"{'Memory':9223372036854775807}",
		"{'Memory':524288,'MemorySwap':524288}",
		"{'Memory':524288,'MemorySwap':0}",
		"{'MemorySwap':-1}",
		"{'MemorySwap':0}",
		"{'CpuShares':0}",
		"{'CpuShares':2}",
		"{'CpuShares':262144}",
		"{'HostConfig':{'PidsLimit':-1}}",
		"{'HostConfig':{'PidsLimit':0}}",
		"{'HostConfig':{'PidsLimit':4194304}}",
		"{'HostConfig':{'NanoCpus':10000000}}",
		"{'StopTimeout':0}",
	};
	static const struct {
		const char *patch, *msg;
	} bad[] = {
		{ "{'Memory':524287}",
		  "Memory: minimum memory limit allowed is 512k (524288 bytes), "
		  "not 524287" },
		{ "{'Memory':-1}", "Memory: -1 is negative" },
		{ "{'MemorySwap':-2}",
		  "MemorySwap: -2 is not -1 (no limit), 0 or a number of bytes" },
		{ "{'MemorySwap':1048576}", "MemorySwap needs Memory to be set too" },
		{ "{'Memory':1048576,'MemorySwap':524288}",
		  "MemorySwap (memory and swap) 524288 is less than Memory 1048576" },
		{ "{'CpuShares':1}", "CpuShares: 1 is not 0 or from 2 to 262144" },
		{ "{'CpuShares':262145}", "CpuShares: 262145 is not 0 or from 2 to 262144" },
		{ "{'CpuShares':-2}", "CpuShares: -2 is not 0 or from 2 to 262144" },
		{ "{'HostConfig':{'PidsLimit':-2}}",
		  "PidsLimit: -2 is not -1 or 0 (no limit) or at most 4194304" },
		{ "{'HostConfig':{'NanoCpus':9999999}}",
		  "NanoCpus: 9999999 is not 0 or at least 10000000 (0.01 CPUs)" },
		{ "{'StopTimeout':-1}",
		  "StopTimeout: -1 is not a number of seconds from 0 to 2147483647" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		check_apply(NULL, good[i], false, good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_refused(NULL, bad[i].patch, false, EINVAL, bad[i].msg);
	/* What was stored counts too. */
	check_refused("{'Memory':1048576,'MemorySwap':2097152}", "{'Memory':null}", false, EINVAL,
		      "MemorySwap needs Memory to be set too");
}

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_texts(void **state)
{
	static const char *const good[] = {
		"{'Hostname':'a'}",
		"{'Hostname':'a.b-c_d'}",
		"{'User':'1000:1000'}",
		"{'Env':['A=','B=x=y','C=two\\nlines','D']}",
		"{'Image':'localhost:5000/team/app:1.2'}",
		"{'Image':'0123456789ab'}",
		"{'Image':'sha256:0123456789ab'}",
		("{'Image':'a@sha256:" DIGITS "'}"),
		"{'Image':''}",
		"{'WorkingDir':'/a/../b'}",
		"{'StopSignal':'SIGRTMIN+3'}",
		"{'VolumesFrom':['a','b:rw','c:ro']}",
		"{'HostConfig':{'Binds':['v:/b','/a:/b:rw','/a:/b:ro,z','/a b:/c d']}}",
		"{'HostConfig':{'NetworkMode':'host'}}",
		"{'HostConfig':{'ExtraHosts':['a.b:::1']}}",
		"{'HostConfig':{'SecurityOpt':['no-new-privileges:true','seccomp=unconfined']}}",
		"{'HostConfig':{'Sysctls':{'kernel.shmmax':'1','fs.mqueue.msg_max':'1'}}}",
		"{'HostConfig':{'CapAdd':['CAP_SYS_ADMIN','net_raw','ALL']}}",
	};
	static const struct {
		const char *patch, *msg;
	} bad[] = {
		{ "{'Hostname':'a b'}", "Hostname: 'a b' is not a host name" },
		{ "{'Hostname':'a\\nb'}", "Hostname: 'a\\x0ab' is not a host name" },
		{ "{'Hostname':'-a'}", "Hostname: '-a' is not a host name" },
		{ "{'Hostname':'a-'}", "Hostname: 'a-' is not a host name" },
		{ "{'Hostname':"
		  "'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggg'}",
		  "Hostname: 'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggg' "
		  "has 66 bytes; at most 64" },
		{ "{'Domainname':'a..b'}", "Domainname: 'a..b' is not a host name" },
		{ "{'User':'a:b:c'}", "User: 'a:b:c' is not USER or USER:GROUP" },
		{ "{'User':'a b'}", "User: 'a b' holds a blank or control character" },
		{ "{'Env':['=x']}", "Env: '=x' has no name" },
		{ "{'Env':['']}", "Env: '' has no name" },
		{ "{'Dns':['dns.example']}", "Dns: 'dns.example' is not an IP address" },
		{ "{'Dns':['1.2.3']}", "Dns: '1.2.3' is not an IP address" },
		{ "{'WorkingDir':'tmp'}", "WorkingDir: 'tmp' is not an absolute path" },
		{ "{'StopSignal':'SIGFOO'}", "StopSignal: unknown signal 'SIGFOO'" },
		{ "{'Volumes':{'tmp':{}}}", "Volumes: 'tmp' is not an absolute path" },
		{ "{'Volumes':{'/':{}}}", "Volumes: '/' is the root itself" },
		{ "{'Volumes':{'/a/..':{}}}", "Volumes: '/a/..' is the root itself" },
		{ "{'VolumesFrom':['a:x']}",
		  "VolumesFrom: 'a:x' is not CONTAINER, CONTAINER:ro or CONTAINER:rw" },
		{ "{'ExposedPorts':{'0':{}}}", "ExposedPorts: '0' is not a port from 1 to 65535" },
		{ "{'ExposedPorts':{'65536':{}}}",
		  "ExposedPorts: '65536' is not a port from 1 to 65535" },
		{ "{'ExposedPorts':{'80/icmp':{}}}",
		  "ExposedPorts: '80/icmp' has an unknown protocol; tcp, udp or sctp" },
		{ "{'ExposedPorts':{'80-81':{}}}",
		  "ExposedPorts: '80-81' is a range; one port a member" },
		{ "{'Labels':{'':'x'}}", "Labels: holds an empty name" },
		{ "{'HostConfig':{'SecurityOpt':['x']}}",
		  "SecurityOpt: unknown option 'x'; no-new-privileges or seccomp=unconfined" },
		{ "{'HostConfig':{'Sysctls':{'kernel.hostname':'x'}}}",
		  "Sysctls: 'kernel.hostname' is not a container's own" },
		{ "{'HostConfig':{'NetworkMode':'host','Sysctls':{'net.core.somaxconn':'1'}}}",
		  "Sysctls: 'net.core.somaxconn' is the host's with NetworkMode 'host'" },
		{ "{'HostConfig':{'Sysctls':{'net.../x':'x'}}}",
		  "Sysctls: 'net.../x' is not a name like net.core.somaxconn" },
		{ "{'HostConfig':{'NetworkMode':'foo'}}",
		  "NetworkMode: unknown network 'foo'; default, bridge, none, host or "
		  "container:NAME" },
		{ "{'HostConfig':{'Links':['a']}}", "Links: 'a' is not CONTAINER:ALIAS" },
		{ "{'HostConfig':{'Links':['a:']}}", "Links: 'a:' is not CONTAINER:ALIAS" },
		{ "{'HostConfig':{'ExtraHosts':['a']}}", "ExtraHosts: 'a' is not HOST:ADDRESS" },
		{ "{'HostConfig':{'ExtraHosts':['a b:1.2.3.4']}}",
		  "ExtraHosts: 'a b:1.2.3.4' is not HOST:ADDRESS" },
		{ "{'HostConfig':{'DnsOptions':['a\\nb']}}",
		  "DnsOptions: 'a\\x0ab' holds a blank or control character" },
		{ "{'HostConfig':{'DnsSearch':['a b']}}", "DnsSearch: 'a b' is not a host name" },
		{ "{'HostConfig':{'Tmpfs':{'run':''}}}", "Tmpfs: 'run' is not an absolute path" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_json json_t *config = apply(NULL, good[i], false);

		assert_true(json_object_size(config) == 1);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_refused(NULL, bad[i].patch, false, EINVAL, bad[i].msg);
}

static void test_binds(void **state)
{
	static const struct {
		const char *bind, *msg;
	} bad[] = {
		{ "/a", "'/a' is not SOURCE:TARGET or SOURCE:TARGET:MODE" },
		{ "/:/", "'/:/': the source is the root of the host" },
		{ "/:/x", "'/:/x': the source is the root of the host" },
		{ "//.:/x", "'//.:/x': the source is the root of the host" },
		{ "/tmp:", "'/tmp:': the target is not an absolute path below the root" },
		{ "/tmp:ro", "'/tmp:ro': the target is not an absolute path below the root" },
		{ "/tmp::", "'/tmp::': the target is not an absolute path below the root" },
		{ "/tmp:/", "'/tmp:/': the target is not an absolute path below the root" },
		{ "/tmp:.", "'/tmp:.': the target is not an absolute path below the root" },
		{ ":", "':': the source is neither an absolute path nor a volume's name" },
		{ "::", "'::': the source is neither an absolute path nor a volume's name" },
		{ ":/tmp", "':/tmp': the source is neither an absolute path nor a volume's name" },
		{ "../a:/b",
		  "'../a:/b': the source is neither an absolute path nor a volume's name" },
		{ "/a:/b:rw:x", "'/a:/b:rw:x': unknown mode 'rw:x'; rw or ro" },
		{ "/a:/b:r0", "'/a:/b:r0': unknown mode 'r0'; rw or ro" },
		{ "/a:/b:", "'/a:/b:': unknown mode ''; rw or ro" },
		{ "/a:/b:ro,", "'/a:/b:ro,': unknown mode 'ro,'; rw or ro" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf patch = STRBUF_INIT;
		AUTO(strbuf_deinit) struct strbuf msg = STRBUF_INIT;

		strbuf_appendf(&patch, "{'HostConfig':{'Binds':['%s']}}", bad[i].bind);
		strbuf_appendf(&msg, "Binds: %s", bad[i].msg);
		check_refused(NULL, patch.data, false, EINVAL, msg.data);
	}
}

static void test_objects(void **state)
{
	static const struct {
		const char *host, *msg;
	} bad[] = {
		{ "'RestartPolicy':{'Name':'sometimes'}",
		  "RestartPolicy: unknown policy 'sometimes'; no, always, unless-stopped or "
		  "on-failure" },
		{ "'RestartPolicy':{'name':'always'}", "RestartPolicy: unknown member 'name'" },
		{ "'RestartPolicy':{'Name':5}", "RestartPolicy: Name must be a string" },
		{ "'RestartPolicy':{'Name':'always','MaximumRetryCount':5}",
		  "RestartPolicy: MaximumRetryCount is for on-failure, not for 'always'" },
		{ "'RestartPolicy':{'Name':'on-failure','MaximumRetryCount':-1}",
		  "RestartPolicy: MaximumRetryCount -1 is out of range" },
		{ "'RestartPolicy':{'Name':'on-failure','MaximumRetryCount':'3'}",
		  "RestartPolicy: MaximumRetryCount must be a number" },
		{ "'RestartPolicy':{'Name':'always'},'AutoRemove':true",
		  "AutoRemove and RestartPolicy 'always' cannot be used together" },
		{ "'LogConfig':{'Type':'syslog'}",
		  "LogConfig: unknown log type 'syslog'; json-file or local" },
		{ "'LogConfig':{'Type':'none'}",
		  "LogConfig: log type 'none': a container always has its log; bound it by "
		  "max-size and max-file" },
		{ "'LogConfig':{'Config':{'max-size':'x'}}",
		  "LogConfig: max-size 'x' is not a size" },
		{ "'LogConfig':{'Config':{'max-file':'-1'}}",
		  "LogConfig: max-file '-1' is not a number" },
		{ "'LogConfig':{'Config':{'tag':'x'}}",
		  "LogConfig: unknown option 'tag'; max-size or max-file" },
		{ "'LogConfig':{'Config':{'max-file':3}}", "LogConfig: max-file must be a string" },
		{ "'LogConfig':{'Config':[]}", "LogConfig: Config must be an object" },
		{ "'PortBindings':{'80':{}}",
		  "PortBindings: '80/tcp' must have a list of bindings" },
		{ "'PortBindings':{'80':[5]}",
		  "PortBindings: '80/tcp': a binding must be {\"HostIp\", \"HostPort\"}" },
		{ "'PortBindings':{'80':[{'HostPort':'x'}]}",
		  "PortBindings: '80/tcp': HostPort 'x' is not a port from 1 to 65535" },
		{ "'PortBindings':{'80':[{'HostPort':8080}]}",
		  "PortBindings: '80/tcp': HostPort must be a string" },
		{ "'PortBindings':{'80':[{'HostIp':'host'}]}",
		  "PortBindings: '80/tcp': HostIp: 'host' is not an IP address" },
		{ "'PortBindings':{'x':[]}", "PortBindings: 'x' is not a port from 1 to 65535" },
		{ "'Ulimits':[{'Name':'foo','Soft':1,'Hard':1}]", "Ulimits: unknown limit 'foo'" },
		{ "'Ulimits':[{'Name':'nofile','Soft':2,'Hard':1}]",
		  "Ulimits: the soft limit of 'nofile' is above the hard one" },
		{ "'Ulimits':[{'Name':'nofile','Soft':-1,'Hard':1}]",
		  "Ulimits: the soft limit of 'nofile' is above the hard one" },
		{ "'Ulimits':[{'Name':'nofile','Soft':-2,'Hard':1}]",
		  "Ulimits: 'nofile' is negative; -1 is no limit" },
		{ "'Mounts':[{'Type':'nfs','Target':'/a'}]",
		  "Mounts: unknown Type 'nfs'; bind, volume or tmpfs" },
		{ "'Mounts':[{'Type':'bind','Source':'a','Target':'/a'}]",
		  "Mounts: the Source 'a' of a bind is not an absolute path" },
		{ "'Mounts':[{'Type':'volume','Source':'a/b','Target':'/a'}]",
		  "Mounts: the Source 'a/b' is not a volume's name" },
		{ "'Mounts':[{'Type':'tmpfs','Source':'a','Target':'/a'}]",
		  "Mounts: a tmpfs has no Source" },
		{ "'Mounts':[{'Type':'tmpfs'}]", "Mounts: Target: '' is not an absolute path" },
		{ "'Mounts':[{'Type':'tmpfs','Target':'/a','ReadOnly':1}]",
		  "Mounts: ReadOnly must be true or false" },
		{ "'Mounts':[{'Type':'tmpfs','Target':'/a','Foo':1}]",
		  "Mounts: unknown member 'Foo'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf patch = STRBUF_INIT;

		strbuf_appendf(&patch, "{'HostConfig':{%s}}", bad[i].host);
		check_refused(NULL, patch.data, false, EINVAL, bad[i].msg);
	}
}

/* JSON can carry a NUL where our parser does not let it: from elsewhere. */
static void test_nul(void **state)
{
	auto_json json_t *patch =
		json_pack("{s:o}", "Cmd", json_pack("[o]", json_stringn("a\0b", 3)));
	struct error err = ERROR_INIT;
	json_t *config;

	(void)state;
	assert_error(config_apply(NULL, patch, false, &config, &err), &err, EINVAL,
		     "Cmd: 'a' holds a NUL byte");
}

static void test_running(void **state)
{
	(void)state;
	check_apply("{'Tty':true}",
		    "{'Memory':1048576,'MemorySwap':-1,'CpuShares':5,'HostConfig':"
		    "{'PidsLimit':5,'NanoCpus':10000000,'RestartPolicy':{'Name':'always'}}}",
		    true,
		    "{'Memory':1048576,'MemorySwap':-1,'CpuShares':5,'Tty':true,'HostConfig':"
		    "{'RestartPolicy':{'Name':'always'},'NanoCpus':10000000,'PidsLimit':5}}");
	check_refused("{'Tty':true}", "{'Tty':false}", true, EBUSY,
		      "Tty cannot change while the container runs");
	check_refused("{'Tty':true}", "{'Tty':null}", true, EBUSY,
		      "Tty cannot change while the container runs");
	check_refused("{}", "{'Hostname':'a'}", true, EBUSY,
		      "Hostname cannot change while the container runs");
	check_refused("{}", "{'Memory':1048576,'HostConfig':{'Init':true}}", true, EBUSY,
		      "Init cannot change while the container runs");
	/* Saying the default is no change, but an empty Entrypoint is no default. */
	check_apply("{}", "{'Tty':false,'User':'','Env':[],'Labels':{},'StopTimeout':0}", true,
		    "{'User':'','Tty':false,'Env':[],'Labels':{},'StopTimeout':0}");
	check_refused("{}", "{'Entrypoint':[]}", true, EBUSY,
		      "Entrypoint cannot change while the container runs");
	check_apply("{'Cmd':['a']}", "{'Cmd':'a'}", true, "{'Cmd':['a']}");
	/* A bad value is bad before it is busy. */
	check_refused("{}", "{'Hostname':5}", true, EINVAL, "Hostname must be a string");
}

/* --- config_merge_image ----------------------------------------------------- */

static void check_merge(const char *asked, const char *image, const char *want)
{
	auto_json json_t *own = parse(asked);
	auto_json json_t *own_before = parse(asked);
	auto_json json_t *theirs = image ? parse(image) : NULL;
	auto_json json_t *theirs_before = image ? parse(image) : NULL;
	auto_json json_t *merged = NULL;
	struct error err = ERROR_INIT;

	assert_ok(config_merge_image(own, theirs, &merged, &err), &err);
	assert_json(merged, want);
	/* Neither side was touched. */
	assert_true(json_equal(own, own_before));
	assert_true(!theirs || json_equal(theirs, theirs_before));
}

static void test_merge_image(void **state)
{
	(void)state;
	check_merge("{'Tty':true}", NULL, "{'Tty':true}");
	check_merge("{}", "{}", "{}");
	check_merge("{}", "{'config':null}", "{}");
	check_merge("{}",
		    "{'config':{'User':'u','WorkingDir':'/w','StopSignal':'HUP','Hostname':'x',"
		    "'Memory':5,'Tty':true,'Unknown':1,'Cmd':null}}",
		    "{'User':'u','WorkingDir':'/w','StopSignal':'HUP'}");
	check_merge("{'User':'a','WorkingDir':'/a','StopSignal':'INT'}",
		    "{'config':{'User':'u','WorkingDir':'/w','StopSignal':'HUP'}}",
		    "{'User':'a','WorkingDir':'/a','StopSignal':'INT'}");
	check_merge("{'User':''}", "{'config':{'User':'u'}}", "{'User':'u'}");
	check_merge("{}", "{'config':{'WorkingDir':'app'}}", "{'WorkingDir':'/app'}");
}

static void test_merge_maps(void **state)
{
	(void)state;
	check_merge("{'Labels':{'a':'1'},'Volumes':{'/a':{}},'ExposedPorts':{'80/tcp':{}}}",
		    "{'config':{'Labels':{'a':'2','b':'3'},'Volumes':{'/b':{}},"
		    "'ExposedPorts':{'80/tcp':{},'53/udp':{}}}}",
		    "{'Labels':{'a':'1','b':'3'},'Volumes':{'/b':{},'/a':{}},"
		    "'ExposedPorts':{'80/tcp':{},'53/udp':{}}}");
	check_merge("{'Env':['A=1','B','E=']}",
		    "{'config':{'Env':['PATH=/p','A=2','B=3','=x','E=5','AB=6']}}",
		    "{'Env':['A=1','B','E=','PATH=/p','AB=6']}");
	check_merge("{}", "{'config':{'Env':['A=2']}}", "{'Env':['A=2']}");
}

static void test_merge_argv(void **state)
{
	(void)state;
	check_merge("{}", "{'config':{'Entrypoint':['e'],'Cmd':['c']}}",
		    "{'Cmd':['c'],'Entrypoint':['e']}");
	check_merge("{'Cmd':['x']}", "{'config':{'Entrypoint':['e'],'Cmd':['c']}}",
		    "{'Cmd':['x'],'Entrypoint':['e']}");
	check_merge("{'Entrypoint':['x']}", "{'config':{'Entrypoint':['e'],'Cmd':['c']}}",
		    "{'Entrypoint':['x']}");
	check_merge("{'Entrypoint':['x'],'Cmd':['y']}",
		    "{'config':{'Entrypoint':['e'],'Cmd':['c']}}",
		    "{'Entrypoint':['x'],'Cmd':['y']}");
	check_merge("{'Entrypoint':['']}", "{'config':{'Entrypoint':['e'],'Cmd':['c']}}", "{}");
	check_merge("{'Entrypoint':[''],'Cmd':['y']}", "{'config':{'Entrypoint':['e']}}",
		    "{'Cmd':['y']}");
	check_merge("{'Entrypoint':[]}", "{'config':{'Entrypoint':['e'],'Cmd':['c']}}",
		    "{'Entrypoint':[],'Cmd':['c']}");
	check_merge("{'Cmd':[]}", "{'config':{'Cmd':'c d'}}", "{'Cmd':['c d']}");
}

static void test_merge_bad_image(void **state)
{
	static const struct {
		const char *image, *msg;
	} cases[] = {
		{ "{'config':5}", "the image's configuration: config must be an object" },
		{ "{'config':{'Env':'x'}}",
		  "the image's configuration: Env must be a list of strings" },
		{ "{'config':{'Env':[5]}}",
		  "the image's configuration: Env must be a list of strings" },
		{ "{'config':{'Cmd':{}}}",
		  "the image's configuration: Cmd must be a list of strings or a string" },
		{ "{'config':{'User':[]}}", "the image's configuration: User must be a string" },
		{ "{'config':{'Labels':[]}}",
		  "the image's configuration: Labels must be an object" },
		{ "{'config':{'ExposedPorts':'80'}}",
		  "the image's configuration: ExposedPorts must be an object" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_json json_t *asked = json_object();
		auto_json json_t *image = parse(cases[i].image);
		struct error err = ERROR_INIT;
		json_t *merged = NULL;

		assert_error(config_merge_image(asked, image, &merged, &err), &err, EINVAL,
			     cases[i].msg);
		assert_null(merged);
	}
}

/* --- config_decode ---------------------------------------------------------- */

static void assert_strings(const char *const *list, const char *joined)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; list[i]; i++)
		strbuf_appendf(&text, "%s%s", i > 0 ? "|" : "", list[i]);
	assert_string_equal(strbuf_get_str(&text), joined);
}

static void test_decode_defaults(void **state)
{
	AUTO(config_deinit) struct config config = { .argv = NULL };
	auto_json json_t *effective = json_object();
	struct error err = ERROR_INIT;

	(void)state;
	assert_error(config_decode(effective, true, &config, &err), &err, EINVAL,
		     "no command specified");
	error_clear(&err);
	assert_ok(config_decode(effective, false, &config, &err), &err);
	assert_string_equal(config.hostname, "");
	assert_string_equal(config.working_dir, "");
	assert_string_equal(config.network_mode, "");
	assert_int_equal(config.stop_signal, SIGTERM);
	assert_int_equal(config.stop_timeout_s, 10);
	assert_null(config.argv[0]);
	assert_null(config.env[0]);
	assert_int_equal(config.ulimit_count, 0);
	assert_false(config.tty || config.privileged || config.no_new_privs);
}

static void test_decode_all(void **state)
{
	AUTO(config_deinit) struct config config = { .argv = NULL };
	auto_json json_t *effective = parse(
		"{'Hostname':'h','Domainname':'d','User':'u','Memory':1,'MemorySwap':2,"
		"'CpuShares':3,'Tty':true,'OpenStdin':true,'StdinOnce':true,'Env':['A=1','B=2'],"
		"'Cmd':['c','d'],'Dns':['1.1.1.1'],'Image':'i','WorkingDir':'/w',"
		"'Entrypoint':['e'],'NetworkDisabled':true,'StopSignal':'15','StopTimeout':0,"
		"'HostConfig':{'NetworkMode':'none','AutoRemove':true,'CapAdd':['A'],"
		"'CapDrop':['B','C'],'Privileged':true,'ReadonlyRootfs':true,'Init':true,"
		"'SecurityOpt':['no-new-privileges:true','seccomp=unconfined'],'NanoCpus':4,"
		"'PidsLimit':5,'Ulimits':[{'Name':'nofile','Soft':1,'Hard':-1},"
		"{'Name':'core','Soft':0,'Hard':0}]}}");
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(config_decode(effective, true, &config, &err), &err);
	assert_string_equal(config.hostname, "h");
	assert_string_equal(config.domainname, "d");
	assert_string_equal(config.user, "u");
	assert_string_equal(config.image, "i");
	assert_string_equal(config.working_dir, "/w");
	assert_string_equal(config.network_mode, "none");
	assert_true(config.tty && config.open_stdin && config.stdin_once);
	assert_true(config.network_disabled && config.privileged && config.readonly_rootfs);
	assert_true(config.auto_remove && config.init && config.no_new_privs);
	assert_true(config.seccomp_unconfined);
	assert_strings(config.argv, "e|c|d");
	assert_strings(config.env, "A=1|B=2");
	assert_strings(config.dns, "1.1.1.1");
	assert_strings(config.cap_add, "A");
	assert_strings(config.cap_drop, "B|C");
	assert_int_equal(config.stop_signal, 15);
	assert_int_equal(config.stop_timeout_s, 0);
	assert_int_equal(config.memory, 1);
	assert_int_equal(config.memory_swap, 2);
	assert_int_equal(config.cpu_shares, 3);
	assert_int_equal(config.nano_cpus, 4);
	assert_int_equal(config.pids_limit, 5);
	assert_int_equal(config.ulimit_count, 2);
	assert_int_equal(config.ulimits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(config.ulimits[0].limit.rlim_cur, 1);
	assert_true(config.ulimits[0].limit.rlim_max == RLIM_INFINITY);
	assert_int_equal(config.ulimits[1].resource, RLIMIT_CORE);
}

/* What a damaged file might hold must not crash. */
static void test_decode_damaged(void **state)
{
	AUTO(config_deinit) struct config config = { .argv = NULL };
	auto_json json_t *effective =
		parse("{'Hostname':5,'Env':['A=1',5,null],'Cmd':{'a':1},'Entrypoint':'x','Tty':'x',"
		      "'HostConfig':{'Ulimits':[5,{},{'Name':'foo'}],'SecurityOpt':[5]}}");
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(config_decode(effective, false, &config, &err), &err);
	assert_string_equal(config.hostname, "");
	assert_strings(config.env, "A=1");
	assert_strings(config.argv, "");
	assert_int_equal(config.ulimit_count, 0);
	json_object_set_new(effective, "StopSignal", json_string("x"));
	config_deinit(&config);
	assert_error(config_decode(effective, false, &config, &err), &err, EINVAL,
		     "StopSignal: unknown signal 'x'");
}

/* --- config_build_env ------------------------------------------------------- */

static void check_env(bool tty, const char *env_json, const char *want)
{
	auto_json json_t *list = parse(env_json);
	auto_json json_t *effective = json_pack("{s:O, s:b}", "Env", list, "Tty", (int)tty);
	AUTO(config_deinit) struct config config = { .argv = NULL };
	struct error err = ERROR_INIT;
	char **env;

	assert_ok(config_decode(effective, false, &config, &err), &err);
	env = config_build_env(&config, "host", "/root");
	assert_non_null(env);
	assert_strings((const char *const *)env, want);
	for (size_t i = 0; env[i]; i++)
		free(env[i]);
	free(env);
}

#define PATH_ENTRY "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void test_env(void **state)
{
	(void)state;
	check_env(false, "[]", PATH_ENTRY "|HOSTNAME=host|HOME=/root");
	check_env(true, "[]", PATH_ENTRY "|HOSTNAME=host|TERM=xterm|HOME=/root");
	check_env(true, "['TERM=vt100','HOME=/h','PATH=/p','A=1','A=2','HOSTNAME=','AB=x=y']",
		  "PATH=/p|HOSTNAME=|TERM=vt100|HOME=/h|A=2|AB=x=y");
	check_env(false, "['HOME','A=1','B=2','A','NONE','PATHS=1']",
		  PATH_ENTRY "|HOSTNAME=host|B=2|PATHS=1");
	check_env(false, "['A','A=1']", PATH_ENTRY "|HOSTNAME=host|HOME=/root|A=1");
}

/* --- names and signals ------------------------------------------------------ */

static void test_names(void **state)
{
	static const char *const good[] = {
		"a", "web", "0", "a_.-b", "0123456789a", "0123456789abc", "0123456789ag", "Z"
	};
	static const char *const bad[] = { "",    ".",    "-a",  "_a", "a b",         "a/b",
					   "a\n", "/web", "a:b", "..", "caf\xc3\xa9", "*" };
	char long_name[202];
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_ok(config_check_name(good[i], &err), &err);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(config_check_name(bad[i], NULL), -EINVAL);
	assert_error(config_check_name("a b", &err), &err, EINVAL,
		     "invalid container name 'a b'; allowed is [a-zA-Z0-9][a-zA-Z0-9_.-]*");
	error_clear(&err);
	assert_error(config_check_name("0123456789ab", &err), &err, EINVAL,
		     "invalid container name '0123456789ab': 12 hexadecimal digits are an id");
	error_clear(&err);
	assert_int_equal(config_check_name("0123456789AB", NULL), -EINVAL);
	memset(long_name, 'a', 201);
	long_name[201] = '\0';
	assert_error(config_check_name(long_name, &err), &err, ENAMETOOLONG,
		     "container name of 201 bytes is too long; at most 200");
	error_clear(&err);
	long_name[200] = '\0';
	assert_ok(config_check_name(long_name, &err), &err);
	long_name[64] = '\0';
	assert_int_equal(config_check_name(long_name, NULL), -EINVAL);
}

static void test_signals(void **state)
{
	static const struct {
		const char *text;
		int signo;
	} good[] = {
		{ "TERM", 15 },       { "SIGTERM", 15 }, { "15", 15 },       { "term", 15 },
		{ "sigkill", 9 },     { "1", 1 },        { "64", 64 },       { "CLD", 17 },
		{ "IOT", 6 },         { "POLL", 29 },    { "RTMIN", 34 },    { "RTMIN+3", 37 },
		{ "SIGRTMIN+0", 34 }, { "RTMAX", 64 },   { "rtmax-14", 50 }, { "RTMIN+16", 50 },
		{ "RTMAX-30", 34 },   { "STKFLT", 16 },
	};
	static const char *const bad[] = { "",        "0",       "65",
					   "-1",      "TER",     "SIG",
					   " 9",      "TERM ",   "RTMIN+31",
					   "RTMIN-1", "RTMAX+1", "SIGSIGTERM",
					   "9x",      "RTMIN+",  "99999999999999999999" };
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int signo = 0;

		assert_ok(signal_parse(good[i].text, &signo, &err), &err);
		assert_int_equal(signo, good[i].signo);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int signo = 77;

		assert_int_equal(signal_parse(bad[i], &signo, NULL), -EINVAL);
		assert_int_equal(signo, 77);
	}
	assert_error(signal_parse("FOO", &(int){ 0 }, &err), &err, EINVAL, "unknown signal 'FOO'");
	/* Every name reads back. */
	for (int signo = -1; signo < 70; signo++) {
		const char *name = signal_get_name(signo);
		int back = 0;

		assert_int_equal(name != NULL,
				 (signo >= 1 && signo <= 31) || (signo >= 34 && signo <= 64));
		if (name)
			assert_int_equal(signal_parse(name, &back, NULL), 0);
		if (name)
			assert_int_equal(back, signo);
	}
}

/* --- out of memory ---------------------------------------------------------- */

struct sweep {
	json_t *asked, *patch, *image;
};

static int attempt_all(void *arg)
{
	const struct sweep *sweep = arg;
	AUTO(config_deinit) struct config config = { .argv = NULL };
	auto_json json_t *asked = NULL;
	auto_json json_t *effective = NULL;
	struct error err = ERROR_INIT;
	char **env;
	int ret = config_apply(sweep->asked, sweep->patch, false, &asked, &err);

	if (ret == 0)
		ret = config_merge_image(asked, sweep->image, &effective, &err);
	if (ret == 0)
		ret = config_decode(effective, true, &config, &err);
	assert_int_equal(ret, -err.code);
	if (ret < 0)
		return ret;
	env = config_build_env(&config, "h", "/");
	for (size_t i = 0; env && env[i]; i++)
		free(env[i]);
	free(env);
	return env ? 0 : -ENOMEM;
}

static void test_no_memory(void **state)
{
	struct sweep sweep = {
		.asked = parse("{'Tty':true,'Labels':{'a':'b'},'HostConfig':{'Init':true}}"),
		.patch = parse(
			"{'Cmd':'c','Image':'a@sha256:0123456789abcdef0123456789abcdef"
			"0123456789abcdef0123456789abcdef','ExposedPorts':{'80':{}},"
			"'Env':['A=1','PATH'],'HostConfig':{'Binds':['/a:/b'],'Memory':1048576,"
			"'Ulimits':[{'Name':'core','Soft':1,'Hard':1}]}}"),
		.image = parse("{'config':{'Env':['B=1'],'Entrypoint':'x','WorkingDir':'w',"
			       "'Labels':{'c':'d'}}}"),
	};

	(void)state;
	assert_true(alloc_sweep(attempt_all, &sweep) > 20);
	json_decref(sweep.asked);
	json_decref(sweep.patch);
	json_decref(sweep.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_merge_rules),
		cmocka_unit_test(test_stored_forms),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_binds),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_running),
		cmocka_unit_test(test_merge_image),
		cmocka_unit_test(test_merge_maps),
		cmocka_unit_test(test_merge_argv),
		cmocka_unit_test(test_merge_bad_image),
		cmocka_unit_test(test_decode_defaults),
		cmocka_unit_test(test_decode_all),
		cmocka_unit_test(test_decode_damaged),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
