#!/bin/bash
# many.sh PROGRAM SEEDS [FROM] - many seeds, by JOBS processes (2). A seed that
# fails says what was broken, its last steps, and how to play it again.
program=$1 seeds=$2 from=${3:-1} jobs=${JOBS:-2}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
began=$SECONDS
for part in $(seq 0 $((jobs - 1))); do
	SIM_SEEDS=$seeds SIM_FROM=$from SIM_PART=$part/$jobs "$program" >"$dir/$part" 2>&1 &
done
wait
checks=0 bad=0
for log in "$dir"/*; do
	line=$(grep -aE 'Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+' "$log" | tail -n 1)
	if [ -z "$line" ]; then
		echo "a process ended early:"
		tail -n 5 "$log"
		bad=$((bad + 1))
		continue
	fi
	checks=$((checks + $(sed -E 's/.*Checks: ([0-9]+).*/\1/' <<<"$line")))
	bad=$((bad + $(sed -E 's/.*Failures: ([0-9]+), Errors: ([0-9]+).*/\1+\2/' <<<"$line")))
	# What was broken first, then how it came to that, for as long as it is short.
	grep -aE '^[^ ]*\.c:[0-9]+:[FE]:' "$log"
	grep -avE '%: Checks|^Running suite|^[^ ]*\.c:[0-9]+:[FE]:' "$log" | head -n "${LINES_MAX:-150}"
done
echo "$checks seeds from $from on, $bad failed, in $((SECONDS - began)) s"
[ "$bad" = 0 ] && [ "$checks" -gt 0 ]
