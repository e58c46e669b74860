#!/bin/bash
# run.sh BUILD LAYER PROGRAM... - run test programs two at a time, show what
# failed, and leave "passed failed" of each in BUILD/results for total.sh, and why.
build=$1 layer=$2
shift 2
mkdir -p "$build/results"

one() { # BUILD PROGRAM LAYER
	local name out rc line checks bad
	name=$(basename "$2")
	out="$1/results/$3.$name.log"
	rm -f "$1/results/$3.$name.why"
	timeout "${TEST_TIMEOUT:-300}" "$2" >"$out" 2>&1
	rc=$?
	# A program that cannot run here says why and ends with 77.
	if [ "$rc" = 77 ] && line=$(grep -a '^SKIPPED: ' "$out"); then
		echo "0 0" >"$1/results/$3.$name.count"
		echo "  $line"
		return 0
	fi
	# Check's closing line: 100%: Checks: 8, Failures: 0, Errors: 0
	line=$(grep -aE 'Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+' "$out" | tail -n 1)
	checks=$(sed -E 's/.*Checks: ([0-9]+).*/\1/' <<<"$line")
	bad=$(sed -E 's/.*Failures: ([0-9]+), Errors: ([0-9]+).*/\1+\2/' <<<"$line")
	bad=$((${bad:-0}))
	# No line, or a bad exit without a failure: the program itself failed.
	if [ -z "$line" ]; then checks=1 bad=1; fi
	if [ "$rc" != 0 ] && [ "$bad" = 0 ]; then checks=$((checks + 1)) bad=1; fi
	echo "$((checks - bad)) $bad" >"$1/results/$3.$name.count"
	if [ "$bad" = 0 ]; then
		line=$(grep -ac '^SKIPPED: ' "$out")
		echo "  ok   $name: $checks$([ "$line" = 0 ] || echo ", $line of them skipped")"
	else
		echo "  FAIL $name: $bad of $checks (exit $rc)"
		{
			echo "$3 $name: $bad of $checks (exit $rc)"
			grep -aE ':[FE]:' "$out" || tail -n 3 "$out"
		} | cut -c1-1000 >"$1/results/$3.$name.why"
		sed 's/^/       | /' "$out" | grep -av ':P:' | tail -n 60
	fi
	return $((bad != 0))
}
export -f one

echo "$layer ($build)"
[ $# -gt 0 ] || { echo "  no tests"; exit 0; }
export CK_VERBOSITY=normal
# Check's own limit of 4 s would stop a sound test on a busy machine.
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-60}
printf '%s\0' "$@" | xargs -0 -n 1 -P "${TEST_JOBS:-2}" bash -c 'one "$0" "$2" "$1"' "$build" "$layer"
