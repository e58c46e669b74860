#!/bin/bash
# demo.sh BUILD [--keep] - what `make run` shows: one broker, three hosts, each
# with an agent and a real nginx, on this machine, without root. Every step is
# looked at from outside; the exit status is 0 only if each was seen true.
set -u
build=$(cd "$1" && pwd) || exit 1
keep=no
[ "${2:-}" = --keep ] && keep=yes
nginx=$(command -v nginx || echo /usr/sbin/nginx)
[ -x "$nginx" ] || { echo "nginx is missing; packaging/deps.sh installs it" >&2; exit 1; }

dir=$(mktemp -d "${TMPDIR:-/tmp}/muster-run.XXXXXX") || exit 1
hosts=(alpha beta gamma)
timeout_ms=1000
export MUSTER_BROKER="ipc://$dir/broker.sock"
muster=$build/muster

bold='' plain='' green='' red=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
	bold=$'\033[1m' plain=$'\033[0m' green=$'\033[32m' red=$'\033[31m'
fi
step() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
seen() { printf '  %sseen%s  %s\n' "$green" "$plain" "$1"; }
show() { sed 's/^/      /'; }
now_ms() { date +%s%3N; }

fail() {
	printf '  %sFAILED%s  %s\n' "$red" "$plain" "$1" >&2
	for f in "$dir"/broker.log "$dir"/*/agent.log; do
		[ -s "$f" ] && { echo "--- last lines of ${f#"$dir"/}"; tail -n 8 "$f"; } >&2
	done
	exit 1
}

# wait_for SECONDS WHAT COMMAND... - until the command succeeds.
wait_for() {
	local until=$((SECONDS + $1 + 1)) what=$2
	shift 2
	while ! "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || fail "not seen in time: $what"
		sleep 0.005
	done
}

# Only processes that were started here end, by the ids they left. An agent
# leads a session of its own; its runners die with it.
stop_all() {
	trap - EXIT INT TERM
	local f pid
	for f in "$dir"/*/agent.pid "$dir"/broker.pid "$dir"/*/nginx.pid; do
		[ -s "$f" ] || continue
		pid=$(cat "$f")
		kill -TERM "$pid" 2>/dev/null
	done
	for f in "$dir"/*/agent.pid "$dir"/broker.pid "$dir"/*/nginx.pid; do
		[ -s "$f" ] || continue
		pid=$(cat "$f")
		for _ in $(seq 100); do
			[ -e "/proc/$pid/exe" ] || break
			sleep 0.05
		done
		kill -KILL "$pid" 2>/dev/null
	done
	rm -rf "$dir"
}
if [ $keep = no ]; then
	trap stop_all EXIT
	trap 'exit 130' INT TERM
fi

free_port() {
	local p
	while :; do
		p=$((20000 + RANDOM % 20000))
		(exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo $p; return; }
	done
}

# ---- the files of one host --------------------------------------------------

# nginx as a program: its own pid file and temporary paths, nothing of /etc.
write_nginx() { # HOST PORT
	local h=$dir/$1
	mkdir -p "$h/tmp"
	cat >"$h/nginx.conf" <<END
pid $h/nginx.pid;
error_log stderr;
worker_processes 1;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path $h/tmp/body;
	proxy_temp_path $h/tmp/proxy;
	fastcgi_temp_path $h/tmp/fastcgi;
	uwsgi_temp_path $h/tmp/uwsgi;
	scgi_temp_path $h/tmp/scgi;
	server {
		listen 127.0.0.1:$2;
		include $h/page.conf;
	}
}
END
	# The same with the candidate in place of the file in force.
	cat >"$h/check" <<END
#!/bin/sh
sed "s|include $h/page.conf;|include \$1;|; s|^pid .*|pid $h/check.pid;|" $h/nginx.conf > $h/check.conf
exec $nginx -t -q -e stderr -p $h/ -c $h/check.conf
END
	cat >"$h/reload" <<END
#!/bin/sh
if [ -s $h/nginx.pid ] && [ -e /proc/\$(cat $h/nginx.pid)/exe ]; then
	exec $nginx -e stderr -p $h/ -c $h/nginx.conf -s reload
fi
exec $nginx -e stderr -p $h/ -c $h/nginx.conf >>$h/nginx.log 2>&1
END
	chmod +x "$h/check" "$h/reload"
}

write_agent() { # HOST PORT
	local h=$dir/$1
	mkdir -p "$h/conf.d" "$h/state" "$h/run"
	cat >"$h/agent.conf" <<END
name = "$1";
brokers = [ "$MUSTER_BROKER" ];
address = "127.0.0.1";
port = $2;
state_dir = "$h/state";
runtime_dir = "$h/run";
plugin_dir = "$build/plugins";
runner = "$build/muster-runner";
conf_dir = "$h/conf.d";
session_timeout_ms = $timeout_ms;
labels = { role = "web"; };
END
	cat >"$h/conf.d/page.conf" <<END
instances = (
  { name = "page"; plugin = "config-file";
    watch = ( { path = "/config/page"; mode = "exact"; } );
    settings = {
      path = "/config/page";
      file = "$h/page.conf";
      check = "$h/check %f";
      reload = "$h/reload";
    };
  },
  { name = "news"; plugin = "log"; members = true; settings = { level = "info"; }; }
);
END
	cat >"$h/start" <<END
#!/bin/sh
# What a boot of this host would do: the service, if it was configured before,
# and the agent, each in a session of its own.
[ ! -e $h/page.conf ] || $h/reload
setsid $build/muster-agent -c $h/agent.conf >>$h/agent.log 2>&1 </dev/null &
echo \$! > $h/agent.pid
END
	chmod +x "$h/start"
}

# One agent alone holds the recovery action.
write_recovery() {
	cat >"$dir/alpha/conf.d/recover.conf" <<END
instances = (
  { name = "recover"; plugin = "exec"; members = true;
    settings = { command = "$dir/recover"; events = [ "failed" ]; };
  }
);
END
	cat >"$dir/recover" <<END
#!/bin/sh
# Called by the exec plugin with the event in the environment.
date +%s%3N > $dir/recover.called
echo "\$MUSTER_EVENT \$MUSTER_MEMBER" >> $dir/recover.events
$dir/\$MUSTER_MEMBER/start
END
	chmod +x "$dir/recover"
}

# ---- what is looked at --------------------------------------------------------

declare -A port
serves() { [ "$(curl -s -m 1 "http://127.0.0.1:${port[$1]}/")" = "$2" ]; }
all_serve() {
	local h
	for h in "${hosts[@]}"; do serves "$h" "$1" || return 1; done
}
up() { "$muster" members --json | grep -q "\"name\":\"$1\".*\"state\":\"up\""; }
member_czxid() { "$muster" stat --json "/members/$1" | sed -E 's/.*"czxid":([0-9]+).*/\1/'; }
member_is_new() { local z; z=$(member_czxid "$1") && [ -n "$z" ] && [ "$z" != "$2" ]; }
reported() { "$muster" get "/applied/page/$1" | grep -q "\"state\":\"$2\""; }
heard_failed() { grep -q "failed.*$2" "$dir/$1/agent.log"; }
page() { printf 'location / { return 200 "%s\\n"; }\n' "$1"; }

# ---- the show -----------------------------------------------------------------

step "One broker, three hosts (everything below $dir)"
cat >"$dir/broker.conf" <<END
listen = [ "$MUSTER_BROKER" ];
listen_zookeeper = [ ];
data_dir = "$dir/data";
control = "$dir/broker.ctl";
END
"$build/muster-broker" -c "$dir/broker.conf" >"$dir/broker.log" 2>&1 </dev/null &
echo $! >"$dir/broker.pid"
wait_for 10 "the broker answers" "$muster" ls /
seen "muster-broker answers on $MUSTER_BROKER"
"$muster" create -p /config/page "$(page 'first page')" >/dev/null || fail "muster create"
for h in "${hosts[@]}"; do
	port[$h]=$(free_port)
	mkdir -p "$dir/$h"
	write_nginx "$h" "${port[$h]}"
	write_agent "$h" "${port[$h]}"
	[ "$h" = alpha ] && write_recovery
	"$dir/$h/start"
done
for h in "${hosts[@]}"; do wait_for 10 "$h is a member" up "$h"; done
seen "three agents answer the roll call: muster members"
"$muster" members | show
wait_for 10 "three nginx serve the first page" all_serve "first page"
seen "each agent wrote its nginx's configuration from /config/page, checked it and started nginx"

step "muster set /config/page: every host follows"
t0=$(now_ms)
"$muster" set /config/page "$(page 'second page')" >/dev/null || fail "muster set"
wait_for 10 "all three serve the second page" all_serve "second page"
edit_ms=$(($(now_ms) - t0))
for h in "${hosts[@]}"; do
	seen "$h: curl http://127.0.0.1:${port[$h]}/ says \"$(curl -s "http://127.0.0.1:${port[$h]}/")\""
done

step "A configuration that nginx refuses"
"$muster" set /config/page 'location / { retrun 200 "broken"; }' >/dev/null || fail "muster set"
for h in "${hosts[@]}"; do wait_for 10 "$h reports the rejection" reported "$h" rejected; done
seen "all three rejected it, and say why: muster status page"
"$muster" status page | sed -n '/INSTANCE/,$p' | sed -E 's/  +$//' | show
all_serve "second page" || fail "a host does not serve the page it had"
seen "all three still serve \"second page\""
"$muster" set /config/page "$(page 'third page')" >/dev/null || fail "muster set"
wait_for 10 "all three serve the third page" all_serve "third page"
seen "a good configuration is taken at once: all three serve \"third page\""

step "kill -9 of gamma: its agent, its runners and its nginx"
czxid=$(member_czxid gamma)
agent=$(cat "$dir/gamma/agent.pid")
t0=$(now_ms)
kill -KILL -- "-$agent" || fail "kill"
web=$(cat "$dir/gamma/nginx.pid" 2>/dev/null) && kill -KILL -- "-$web"
for h in alpha beta; do wait_for 10 "$h hears of it" heard_failed "$h" gamma; done
wait_for 10 "the recovery action runs" test -s "$dir/recover.called"
heard_ms=$(($(cat "$dir/recover.called") - t0))
seen "alpha and beta heard that gamma failed; session timeout $timeout_ms ms"
[ "$heard_ms" -le $((timeout_ms + 250)) ] || fail "the callback came after $heard_ms ms"
[ "$(wc -l <"$dir/recover.events")" = 1 ] || fail "the recovery action ran more than once"
seen "the one exec instance, on alpha, started the replacement: \"$(cat "$dir/recover.events")\""
wait_for 10 "gamma is a member again" up gamma
wait_for 10 "gamma's member node is a new one" member_is_new gamma "$czxid"
wait_for 10 "gamma serves again" serves gamma "third page"
back_ms=$(($(now_ms) - t0))
seen "gamma is back, with the configuration in force: \"$(curl -s "http://127.0.0.1:${port[gamma]}/")\""

step "Measured here, now"
echo "  muster set to served by all three nginx   $edit_ms ms (checks and reloads of nginx included)"
echo "  kill -9 to the callback on another host   $heard_ms ms (session timeout $timeout_ms ms)"
echo "  kill -9 to served by the replacement      $back_ms ms"

if [ $keep = yes ]; then
	step "The cluster stays up. Try:"
	cat <<END
  export MUSTER_BROKER=$MUSTER_BROKER PATH=$build:\$PATH
  muster members;  muster status;  muster tree
  muster watch -r /config            # in another terminal
  muster set /config/page 'location / { return 200 "mine\\n"; }'
  curl http://127.0.0.1:${port[alpha]}/
  kill -9 -\$(cat $dir/gamma/agent.pid); kill -9 -\$(cat $dir/gamma/nginx.pid)
      # alpha starts gamma again: see $dir/alpha/agent.log, and SINCE in muster members
To end it:
  kill \$(cat $dir/*/agent.pid $dir/broker.pid $dir/*/nginx.pid); rm -r $dir
END
fi
printf '\n%sEverything above was seen true.%s\n' "$green" "$plain"
