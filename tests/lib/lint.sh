#!/bin/bash
# lint.sh - the rules of the house that a machine can see.
cd "$(dirname "$0")/../.." || exit 1
bad=0
say() {
	echo "lint: $1"
	bad=1
}
files=$(git ls-files -co --exclude-standard '*.c' '*.h' '*.cc')

# shellcheck disable=SC2086
clang-format --dry-run -Werror $files || say "run make format"

# Each outside header stands in one file (three for libuv: the loop, processes, TCP).
only() { # HEADER FILES...
	local header=$1 hits
	shift
	hits=$(grep -lE "include <$header>" $files | grep -vE "^($(IFS='|'; echo "$*"))$" | grep -v '^tests/')
	[ -z "$hits" ] || say "<$header> is included by: $hits"
}
only 'zmq\.h' agent/io/zsock.c
only 'libconfig\.h' agent/io/conffile.c
only 'dlfcn\.h' agent/io/dso.c
only 'jansson\.h' agent/io/json.c plugins/template/tree.h plugins/template/mustache.h plugins/webhook/body.c
only 'curl/.*' plugins/webhook/webhook.c
only 'nettle/.*' agent/io/sha1.c
only 'zstd\.h' agent/io/zst.c
only 'uv\.h' agent/io/loop.c agent/io/proc.c agent/io/tcpsock.c agent/io/loop_uv.h

# The core includes no system header but these, and only err.c <stdio.h>.
hits=$(grep -nE '^#include <' agent/core/*.[ch] |
	grep -vE '<(string|stdint|stddef|stdbool|stdarg)\.h>|<muster/' | grep -v '^agent/core/err.c:.*<stdio.h>')
[ -z "$hits" ] || say "the core includes: $hits"

# The command line sees the client library, core's small tools, json and tty, for
# backups files, zstd and the control socket, for muster plugin what an agent has of a
# runner (its channel, the settings) and of the tree (mirror, roll); a
# plugin what it is about and plugins/lib.
own() { # FOLDER LIBRARY-FOLDER ALLOWED...
	local folder=$1 lib=$2 header
	shift 2
	grep -hoE '^#include "[^"]+"' "$folder"/*.[ch] | sort -u | cut -d'"' -f2 | while read -r header; do
		[ -e "$folder/$header" ] || [ -e "$lib/$header" ] || case " $* " in *" $header "*) ;; *) echo "$header" ;; esac
	done
}
hits=$(own agent/cli - confrow.h err.h buf.h mem.h bug.h path.h json.h tty.h savefile.h unixsock.h zst.h \
	abi.h chan.h clock.h conffile.h mirror.h roll.h)
[ -z "$hits" ] || say "agent/cli includes: $hits"
for d in plugins/*/; do
	hits=$(own "${d%/}" plugins/lib)
	[ -z "$hits" ] || say "$d includes: $hits"
done

# Sizes: a file 600 lines, a function 60.
wc -l $(git ls-files -co --exclude-standard 'agent/*.c' 'plugins/*.c') |
	awk '$2 != "total" && $1 > 600 { print "lint: " $2 " has " $1 " lines"; n++ } END { exit n > 0 }' || bad=1
if command -v ctags >/dev/null; then
	ctags -x --c-kinds=f --fields=+ne --output-format=json \
		$(git ls-files -co --exclude-standard 'agent/*.c' 'plugins/*.c') |
		sed -E 's/.*"name": "([^"]*)".*"path": "([^"]*)".*"line": ([0-9]+).*"end": ([0-9]+).*/\2 \1 \3 \4/' |
		awk '$4 - $3 >= 60 { print "lint: " $1 ": " $2 " has " $4 - $3 + 1 " lines"; n++ } END { exit n > 0 }' || bad=1
fi
tests/lib/rules.sh || bad=1
exit $bad
