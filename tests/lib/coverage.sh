#!/bin/bash
# coverage.sh BUILD PERCENT - line coverage of agent/core by the unit tests;
# fails under PERCENT.
build=$1 least=$2
cd "$(dirname "$0")/../.." || exit 1
mkdir -p "$build/gcov" && rm -f "$build"/gcov/*
for f in agent/core/*.c; do
	# One line each: File '...'  Lines executed:97.12% of 104
	gcov -n -o "$build/agent/core" "$f" 2>/dev/null |
		awk -v want="$f" -F"'" '/^File/ { f = $2 } /^Lines executed/ && f == want { print f, $0; f = "" }'
done | awk -v least="$least" '
	{ split($2 " " $3 " " $4, a, /[:% ]+/); pct = a[3]; n = $NF; hit += pct * n / 100; all += n
	  printf "  %-28s %6.2f %% of %d lines\n", $1, pct, n }
	END { p = all ? 100 * hit / all : 0
	  printf "coverage of agent/core: %.1f %% of %d lines (at least %d)\n", p, all, least
	  exit !(p >= least) }'
