#!/bin/bash
# fuzz.sh - run each fuzz target for FUZZ_SECONDS (default 60), starting from
# its corpus. What it learns stays in a temporary directory; an input that ends
# a target badly is kept in build/fuzz/. To keep it for good: add it to
# tests/fuzz/corpus/<target>/, where `make unit io` replays it in every run.
cd "$(dirname "$0")/../.." || exit 1
seconds=${FUZZ_SECONDS:-60}
out=build/fuzz
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return !p && n; }' >"$tmp/probe.c"
if ! clang -fsanitize=fuzzer -o "$tmp/probe" "$tmp/probe.c" 2>"$tmp/probe.log"; then
	echo "fuzz: clang cannot link libFuzzer here; install the packages clang and libclang-rt-14-dev" >&2
	exit 2
fi

mkdir -p "$out"
bad=0
for source in tests/fuzz/fuzz_*.c; do
	target=$(basename "$source" .c)
	target=${target#fuzz_}
	shell=() # what the target runs beside the core
	[ "$target" != tcp ] || shell=(-Iagent/io -Iagent/broker
		agent/broker/{tcp,tcp_link,tcp_read,tcp_send,tcp_out,idmap,places}.c)
	echo "fuzz: $target for $seconds s"
	clang -std=c11 -D_GNU_SOURCE -O1 -g -fno-sanitize-recover=all -fsanitize=fuzzer,address,undefined \
		-Iinclude -Iagent/core -o "$tmp/$target" "$source" "${shell[@]}" agent/core/*.c agent/io/{bug,line_rate,mem}.c ||
		exit 1
	mkdir "$tmp/$target.corpus"
	"$tmp/$target" -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=1024 -verbosity=0 \
		-print_final_stats=1 -artifact_prefix="$out/$target-" "$tmp/$target.corpus" \
		"tests/fuzz/corpus/$target" >"$tmp/$target.log" 2>&1 || bad=1
	grep -E 'number_of_executed_units|ERROR|BUG|bug|SUMMARY|Test unit written' "$tmp/$target.log" || cat "$tmp/$target.log"
done
rmdir --ignore-fail-on-non-empty "$out"
[ "$bad" = 0 ] || echo "fuzz: a target failed; its input is in $out/" >&2
exit $bad
