/* Configurations: taking a patch. */
#include "tests/runtime/config_fixture.h"

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
		"'AutoRemove':false,'CapAdd':['NET_ADMIN'],'CapDrop':['ALL'],'CpuPeriod':50000,"
		"'CpuQuota':25000,'CpusetCpus':'0-2,5','CpusetMems':'0','DeviceCgroupRules':['c "
		"1:3 r'],'Devices':[{'PathOnHost':'/dev/a',"
		"'PathInContainer':'/dev/b','CgroupPermissions':'rw'}],'DnsOptions':['ndots:1'],"
		"'DnsSearch':['.'],'ExtraHosts':['h:1.2.3.4'],'GroupAdd':['audio','5'],'IpcMode':'"
		"container:a','Links':['a:"
		"b'],"
		"'MemoryReservation':524288,'OomScoreAdj':-500,'PidMode':'host','Privileged':true,"
		"'PublishAllPorts':true,'ReadonlyRootfs':true,'SecurityOpt':['no-new-privileges'],"
		"'ShmSize':1048576,'Tmpfs':{'/"
		"t':'size=1m'},'Sysctls':{'net.core.somaxconn':'1'},'NanoCpus':0,"
		"'PidsLimit':10,'Ulimits':[{'Name':'nofile','Soft':1,'Hard':2}],"
		"'Mounts':[{'Type':'bind','Source':'/a','Target':'/"
		"b','ReadOnly':true}],'Init':true,'UTSMode':'private'}}";

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
		{ "{'HostConfig':{'ShmSize':'64m'}}", "ShmSize must be a number" },
		{ "{'HostConfig':{'Devices':['/dev/a']}}", "Devices must be a list of objects" },
		{ "{'HostConfig':{'Devices':[{'PathOnHost':5}]}}",
		  "Devices: PathOnHost must be a string" },
		{ "{'HostConfig':{'Devices':[{'Path':'/a'}]}}", "Devices: unknown member 'Path'" },
		{ "{'HostConfig':{'Devices':[{}]}}",
		  "Devices: the device '' is not an absolute path" },
		{ "{'HostConfig':{'Devices':[{'PathOnHost':'/a'}]}}",
		  "Devices: '/a' is not below /dev of the container" },
		{ "{'HostConfig':{'Devices':[{'PathOnHost':'/a','PathInContainer':'/dev/../b'}]}}",
		  "Devices: '/dev/../b' is not below /dev of the container" },
		{ "{'HostConfig':{'Devices':[{'PathOnHost':'/dev/a','CgroupPermissions':'rx'}]}}",
		  "Devices: 'rx' is not what may be done with '/dev/a'; letters of rwm" },
		{ "{'HostConfig':{'DeviceCgroupRules':['c 1:3']}}",
		  "DeviceCgroupRules: 'c 1:3' is not a rule like 'c 1:3 rwm'" },
		{ "{'HostConfig':{'GroupAdd':'audio'}}", "GroupAdd must be a list of strings" },
		{ "{'HostConfig':{'OomScoreAdj':true}}", "OomScoreAdj must be a number" },
		{ "{'HostConfig':{'MemoryReservation':'1m'}}",
		  "MemoryReservation must be a number" },
		{ "{'HostConfig':{'CpusetCpus':0}}", "CpusetCpus must be a string" },
		{ "{'HostConfig':{'CpusetMems':[0]}}", "CpusetMems must be a string" },
		{ "{'HostConfig':{'CpuPeriod':'1'}}", "CpuPeriod must be a number" },
		{ "{'HostConfig':{'CpuQuota':1.5}}", "CpuQuota must be a number" },
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
		"{'HostConfig':{'CpuPeriod':1000,'CpuQuota':1000}}",
		"{'HostConfig':{'CpuPeriod':1000000,'CpuQuota':-1}}",
		"{'HostConfig':{'CpuPeriod':0,'CpuQuota':0,'NanoCpus':10000000}}",
		"{'Memory':524288,'HostConfig':{'MemoryReservation':524288}}",
		"{'HostConfig':{'MemoryReservation':0,'OomScoreAdj':1000,'ShmSize':0}}",
		"{'HostConfig':{'OomScoreAdj':-1000,'ShmSize':1}}",
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
		{ "{'HostConfig':{'IpcMode':'x'}}",
		  "IpcMode: unknown mode 'x'; private, shareable, none, host or container:NAME" },
		{ "{'HostConfig':{'IpcMode':'container:'}}",
		  "IpcMode: unknown mode 'container:'; private, shareable, none, host or "
		  "container:NAME" },
		{ "{'HostConfig':{'PidMode':'none'}}",
		  "PidMode: unknown mode 'none'; private, host or container:NAME" },
		{ "{'HostConfig':{'UTSMode':'container:a'}}",
		  "UTSMode: unknown mode 'container:a'; private or host" },
		{ "{'Hostname':'a','HostConfig':{'UTSMode':'host'}}",
		  "Hostname cannot be with UTSMode 'host': it is the host's" },
		{ "{'HostConfig':{'PidMode':'container:a','Init':true}}",
		  "Init cannot be with PidMode 'container:a': process 1 is that container's" },
		{ "{'HostConfig':{'PidMode':'container:a','UsernsMode':'auto'}}",
		  "PidMode 'container:a' and UsernsMode 'auto' cannot be used together" },
		{ "{'HostConfig':{'IpcMode':'host','UsernsMode':'auto'}}",
		  "IpcMode 'host' and UsernsMode 'auto' cannot be used together" },
		{ "{'HostConfig':{'UTSMode':'host','UsernsMode':'auto'}}",
		  "UTSMode 'host' and UsernsMode 'auto' cannot be used together" },
		{ "{'HostConfig':{'IpcMode':'host','Sysctls':{'kernel.shmmax':'1'}}}",
		  "Sysctls: 'kernel.shmmax' is the host's with IpcMode 'host'" },
		{ "{'HostConfig':{'CpuPeriod':999}}",
		  "CpuPeriod: 999 is not 0 or from 1000 to 1000000 (1 ms to 1 s)" },
		{ "{'HostConfig':{'CpuPeriod':1000001}}",
		  "CpuPeriod: 1000001 is not 0 or from 1000 to 1000000 (1 ms to 1 s)" },
		{ "{'HostConfig':{'CpuQuota':999}}",
		  "CpuQuota: 999 is not -1 or 0 (no limit) or at least 1000 (1 ms)" },
		{ "{'HostConfig':{'NanoCpus':10000000,'CpuPeriod':1000}}",
		  "NanoCpus and CpuPeriod cannot both be set; one is said in terms of the other" },
		{ "{'HostConfig':{'NanoCpus':10000000,'CpuQuota':1000}}",
		  "NanoCpus and CpuQuota cannot both be set; one is said in terms of the other" },
		{ "{'HostConfig':{'MemoryReservation':524287}}",
		  "MemoryReservation: 524287 is not 0 or at least 512k (524288 bytes)" },
		{ "{'Memory':524288,'HostConfig':{'MemoryReservation':524289}}",
		  "MemoryReservation 524289 is more than Memory 524288" },
		{ "{'HostConfig':{'OomScoreAdj':1001}}",
		  "OomScoreAdj: 1001 is not from -1000 to 1000" },
		{ "{'HostConfig':{'OomScoreAdj':-1001}}",
		  "OomScoreAdj: -1001 is not from -1000 to 1000" },
		{ "{'HostConfig':{'ShmSize':-1}}",
		  "ShmSize: -1 is not 0 (64 MiB) or a number of bytes" },
		{ "{'HostConfig':{'CpusetCpus':'0-'}}",
		  "CpusetCpus: '0-' is not a list like 0-2,5" },
		{ "{'HostConfig':{'CpusetMems':'x'}}", "CpusetMems: 'x' is not a list like 0-2,5" },
		{ "{'HostConfig':{'GroupAdd':['']}}",
		  "GroupAdd: '' is not a group's name or number" },
		{ "{'HostConfig':{'GroupAdd':['a','b:c']}}",
		  "GroupAdd: 'b:c' is not a group's name or number" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),        cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_places),       cmocka_unit_test(test_merge_rules),
		cmocka_unit_test(test_stored_forms), cmocka_unit_test(test_types),
		cmocka_unit_test(test_numbers),      cmocka_unit_test(test_texts),
		cmocka_unit_test(test_binds),        cmocka_unit_test(test_objects),
		cmocka_unit_test(test_nul),          cmocka_unit_test(test_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
