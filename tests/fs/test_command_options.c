/* Options of create and run: what each makes of the configuration. */
#include "tests/fs/command_fixture.h"

static void check_options(const char *options, const char *want)
{
	AUTO(strbuf_deinit) struct strbuf line = STRBUF_INIT;
	AUTO(command_deinit) struct command command = { .timeout_s = -1 };
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int ret;

	strbuf_appendf(&line, "create %s a", options);
	ret = parse_text(line.data, line.len, NULL, &command, &err);
	assert_ok(ret, &err);
	json_object_del(command.config, "Image");
	command.verb = VERB_CREATE;
	assert_int_equal(json_render(command.config, 0, &text, NULL), 0);
	for (char *at = text.data; *at; at++) {
		if (*at == '"')
			*at = '\'';
	}
	assert_string_equal(text.data, want);
}

static void test_options_streams(void **state)
{
	(void)state;
	check_options("-i", "{'OpenStdin':true}");
	check_options("-it", "{'Tty':true,'OpenStdin':true}");
	check_options("--interactive --tty=false", "{'Tty':false,'OpenStdin':true}");
	/* TestParseRunAttach */
	check_options("-a stdin", "{'AttachStdin':true,'StdinOnce':true}");
	check_options("-i -a stdin -a stdout",
		      "{'AttachStdin':true,'AttachStdout':true,'OpenStdin':true,'StdinOnce':true}");
	check_options("-a stdin -a stdout --attach=stderr",
		      "{'AttachStdin':true,'AttachStdout':true,'AttachStderr':true,"
		      "'StdinOnce':true}");
}

static void test_options_process(void **state)
{
	(void)state;
	check_options("-e A=1 -eB=x=y --env C= --env=D=4", "{'Env':['A=1','B=x=y','C=','D=4']}");
	check_options("-e $'TRICKY=tri\\ncky\\n'", "{'Env':['TRICKY=tri\\ncky\\n']}");
	check_options("-u daemon:adm -w /tmp", "{'User':'daemon:adm','WorkingDir':'/tmp'}");
	check_options("--user=0 --workdir=/", "{'User':'0','WorkingDir':'/'}");
	check_options("--group-add audio --group-add 5",
		      "{'HostConfig':{'GroupAdd':['audio','5']}}");
	check_options("-h foobar", "{'Hostname':'foobar'}");
	check_options("-h a.b.c", "{'Hostname':'a','Domainname':'b.c'}");
	check_options("--hostname a --domainname b", "{'Hostname':'a','Domainname':'b'}");
	check_options("--entrypoint /bin/x", "{'Entrypoint':['/bin/x']}");
	check_options("--entrypoint ''", "{'Entrypoint':['']}");
	check_options("--entrypoint a --entrypoint b", "{'Entrypoint':['b']}");
	check_options("-l a=1 --label b --label c=x=y", "{'Labels':{'a':'1','b':'','c':'x=y'}}");
	check_options("--stop-signal HUP --stop-timeout 3", "{'StopSignal':'HUP','StopTimeout':3}");
	check_options("--init", "{'HostConfig':{'Init':true}}");
}

static void test_options_limits(void **state)
{
	(void)state;
	check_options("-m 512m", "{'Memory':536870912}");
	check_options("--memory 524288", "{'Memory':524288}");
	check_options("-m 1g --memory-swap 2g", "{'Memory':1073741824,'MemorySwap':2147483648}");
	check_options("--memory-swap -1", "{'MemorySwap':-1}");
	check_options("-m 0", "{'Memory':0}");
	check_options("-c 512", "{'CpuShares':512}");
	check_options("--cpu-shares=2", "{'CpuShares':2}");
	check_options("--cpus 1.5", "{'HostConfig':{'NanoCpus':1500000000}}");
	check_options("--cpus .25", "{'HostConfig':{'NanoCpus':250000000}}");
	check_options("--cpus 2", "{'HostConfig':{'NanoCpus':2000000000}}");
	check_options("--cpus 0.123456789", "{'HostConfig':{'NanoCpus':123456789}}");
	check_options("--pids-limit 50", "{'HostConfig':{'PidsLimit':50}}");
	check_options("--pids-limit=-1", "{'HostConfig':{'PidsLimit':-1}}");
	check_options("--memory-reservation 1m --shm-size 2g",
		      "{'HostConfig':{'MemoryReservation':1048576,'ShmSize':2147483648}}");
	check_options("--cpu-period 50000 --cpu-quota=25000 --cpuset-cpus 0,1 --cpuset-mems 0",
		      "{'HostConfig':{'CpuPeriod':50000,'CpuQuota':25000,'CpusetCpus':'0,1',"
		      "'CpusetMems':'0'}}");
	check_options("--oom-score-adj -500", "{'HostConfig':{'OomScoreAdj':-500}}");
	check_options("--ulimit nofile=1024:2048 --ulimit core=-1",
		      "{'HostConfig':{'Ulimits':[{'Name':'nofile','Soft':1024,'Hard':2048},"
		      "{'Name':'core','Soft':-1,'Hard':-1}]}}");
	check_options("--restart always",
		      "{'HostConfig':{'RestartPolicy':{'Name':'always','MaximumRetryCount':0}}}");
	check_options("--restart on-failure:3",
		      "{'HostConfig':{'RestartPolicy':{'Name':'on-failure',"
		      "'MaximumRetryCount':3}}}");
	check_options("--log-opt max-size=10m --log-opt max-file=3 --log-driver json-file",
		      "{'HostConfig':{'LogConfig':{'Config':{'max-size':'10m','max-file':'3'},"
		      "'Type':'json-file'}}}");
}

static void test_options_security(void **state)
{
	(void)state;
	check_options("--privileged --read-only",
		      "{'HostConfig':{'Privileged':true,'ReadonlyRootfs':true}}");
	check_options("--cap-add NET_ADMIN --cap-add=SYS_TIME --cap-drop ALL",
		      "{'HostConfig':{'CapAdd':['NET_ADMIN','SYS_TIME'],'CapDrop':['ALL']}}");
	check_options("--security-opt no-new-privileges --security-opt seccomp=unconfined",
		      "{'HostConfig':{'SecurityOpt':['no-new-privileges','seccomp=unconfined']}}");
	check_options(
		"--device /dev/fuse --device /dev/a:/dev/b --device /dev/c:r",
		"{'HostConfig':{'Devices':[{'PathOnHost':'/dev/fuse',"
		"'PathInContainer':'/dev/fuse','CgroupPermissions':'rwm'},"
		"{'PathOnHost':'/dev/a','PathInContainer':'/dev/b','CgroupPermissions':'rwm'},"
		"{'PathOnHost':'/dev/c','PathInContainer':'/dev/c','CgroupPermissions':'r'}]}}");
	check_options(
		"--device /dev/a:/dev/b:mw --device-cgroup-rule 'c 1:* rw'",
		"{'HostConfig':{'DeviceCgroupRules':['c 1:* rw'],'Devices':["
		"{'PathOnHost':'/dev/a','PathInContainer':'/dev/b','CgroupPermissions':'mw'}]}}");
	check_options("--ipc container:a --pid host --uts host",
		      "{'HostConfig':{'IpcMode':'container:a','PidMode':'host','UTSMode':'host'}}");
	check_options("--sysctl net.core.somaxconn=10",
		      "{'HostConfig':{'Sysctls':{'net.core.somaxconn':'10'}}}");
}

/* TestParseRunVolumes */
static void test_options_volumes(void **state)
{
	(void)state;
	check_options("-v /tmp", "{'Volumes':{'/tmp':{}}}");
	check_options("-v /tmp -v /var", "{'Volumes':{'/tmp':{},'/var':{}}}");
	check_options("-v /hostTmp:/containerTmp",
		      "{'HostConfig':{'Binds':['/hostTmp:/containerTmp']}}");
	check_options("-v /hostTmp:/containerTmp:ro --volume=/hostVar:/containerVar:rw",
		      "{'HostConfig':{'Binds':['/hostTmp:/containerTmp:ro',"
		      "'/hostVar:/containerVar:rw']}}");
	check_options("-v /hostTmp:/containerTmp -v /containerVar",
		      "{'Volumes':{'/containerVar':{}},'HostConfig':{'Binds':"
		      "['/hostTmp:/containerTmp']}}");
	check_options("-v data:/data", "{'HostConfig':{'Binds':['data:/data']}}");
	check_options("--volumes-from a --volumes-from b:ro", "{'VolumesFrom':['a','b:ro']}");
	check_options("--tmpfs /run --tmpfs /t:rw,size=64k",
		      "{'HostConfig':{'Tmpfs':{'/run':'','/t':'rw,size=64k'}}}");
	check_options("--mount type=bind,src=/a,dst=/b,readonly --mount target=/v,source=data",
		      "{'HostConfig':{'Mounts':[{'Type':'bind','Source':'/a','Target':'/b',"
		      "'ReadOnly':true},{'Type':'volume','Target':'/v','Source':'data'}]}}");
	check_options(
		"--mount type=tmpfs,target=/t,ro=false",
		"{'HostConfig':{'Mounts':[{'Type':'tmpfs','Target':'/t','ReadOnly':false}]}}");
}

/* TestParseNetworkOpts*, TestParseRunLinks */
static void test_options_network(void **state)
{
	(void)state;
	check_options("-p 80", "{'ExposedPorts':{'80/tcp':{}},'HostConfig':{'PortBindings':"
			       "{'80/tcp':[{'HostIp':'','HostPort':''}]}}}");
	check_options("-p 192.168.1.100::80",
		      "{'ExposedPorts':{'80/tcp':{}},'HostConfig':{'PortBindings':{'80/tcp':"
		      "[{'HostIp':'192.168.1.100','HostPort':''}]}}}");
	check_options("-p 192.168.1.100:8080:80",
		      "{'ExposedPorts':{'80/tcp':{}},'HostConfig':{'PortBindings':{'80/tcp':"
		      "[{'HostIp':'192.168.1.100','HostPort':'8080'}]}}}");
	check_options("-p 192.168.1.100::6000/udp",
		      "{'ExposedPorts':{'6000/udp':{}},'HostConfig':{'PortBindings':{'6000/udp':"
		      "[{'HostIp':'192.168.1.100','HostPort':''}]}}}");
	check_options("-p 8080:80 --publish 8081:80",
		      "{'ExposedPorts':{'80/tcp':{}},'HostConfig':{'PortBindings':{'80/tcp':"
		      "[{'HostIp':'','HostPort':'8080'},{'HostIp':'','HostPort':'8081'}]}}}");
	check_options("-p [::1]:8080:80/TCP",
		      "{'ExposedPorts':{'80/tcp':{}},'HostConfig':{'PortBindings':{'80/tcp':"
		      "[{'HostIp':'::1','HostPort':'8080'}]}}}");
	check_options("-p 8000-8001:80-81",
		      "{'ExposedPorts':{'80/tcp':{},'81/tcp':{}},'HostConfig':{'PortBindings':"
		      "{'80/tcp':[{'HostIp':'','HostPort':'8000'}],"
		      "'81/tcp':[{'HostIp':'','HostPort':'8001'}]}}}");
	check_options("-p 8000-8010:80 -p 0:81",
		      "{'ExposedPorts':{'80/tcp':{},'81/tcp':{}},'HostConfig':{'PortBindings':"
		      "{'80/tcp':[{'HostIp':'','HostPort':'8000-8010'}],"
		      "'81/tcp':[{'HostIp':'','HostPort':''}]}}}");
	check_options("--expose 80 --expose 53/udp --expose 90-91",
		      "{'ExposedPorts':{'80/tcp':{},'53/udp':{},'90/tcp':{},'91/tcp':{}}}");
	check_options("-P", "{'HostConfig':{'PublishAllPorts':true}}");
	check_options("--link a:b", "{'HostConfig':{'Links':['a:b']}}");
	check_options("--link a:b --link c:d", "{'HostConfig':{'Links':['a:b','c:d']}}");
	check_options("--dns 1.1.1.1 --dns ::1", "{'Dns':['1.1.1.1','::1']}");
	check_options("--dns-search a.b --dns-opt ndots:1 --dns-option rotate",
		      "{'HostConfig':{'DnsOptions':['ndots:1','rotate'],'DnsSearch':['a.b']}}");
	check_options("--add-host a:1.2.3.4 --add-host b:::1",
		      "{'HostConfig':{'ExtraHosts':['a:1.2.3.4','b:::1']}}");
	check_options("--network none", "{'HostConfig':{'NetworkMode':'none'}}");
	check_options("--net=host", "{'HostConfig':{'NetworkMode':'host'}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_streams), cmocka_unit_test(test_options_process),
		cmocka_unit_test(test_options_limits),  cmocka_unit_test(test_options_security),
		cmocka_unit_test(test_options_volumes), cmocka_unit_test(test_options_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
