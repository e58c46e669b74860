#!/bin/bash
# total.sh STATUS RESULTS... - add up what run.sh left, and say once more what failed
# and why; the last line is the one that CI reads. Fails if a stage did, or if nothing
# ran.
status=$1
shift
passed=0 failed=0
for dir in "$@"; do
	for f in "$dir"/*.count; do
		[ -e "$f" ] || continue
		read -r p n <"$f"
		passed=$((passed + p)) failed=$((failed + n))
	done
	for f in "$dir"/*.why; do
		[ -e "$f" ] || continue
		sed '1s/^/FAILED: /; 2,$s/^/    /' "$f"
	done
done
# A stage without a count of its own (lint, purity, a build) failed.
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
if [ "$passed" = 0 ]; then failed=$((failed + 1)); fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
