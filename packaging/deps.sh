#!/bin/bash
# deps.sh [test|bench] - install what Muster is built and run with (Debian 12 packages);
# with `test` also the foreign clients and the server that the tests hold it to;
# with `bench` what make bench holds it against.
# Says what it does; needs root only where something is missing. Leaves no system
# service running or enabled that was not there before: nginx is used as a
# program only.
set -eu

packages=(
	gcc g++ libc6-dev make pkg-config binutils
	libzmq3-dev    # the native carrier
	libuv1-dev     # event loop, processes, signals
	libconfig-dev  # configuration files
	libjansson-dev # JSON
	libzstd-dev    # backups
	nettle-dev     # SHA-1, for the digests of ZooKeeper's ACLs
	libcurl4-openssl-dev     # HTTP, for the plugin webhook; curl itself uses it
	libkainjow-mustache-dev  # templates, for the plugin template
	check libsubunit-dev # tests
	clang-format universal-ctags # make lint
	nginx-light    # a real service for make run and the tests
	procps curl
)

if [ "${1:-}" = test ]; then
	packages+=(
		zookeeper default-jre-headless      # a real ZooKeeper, and zkCli.sh
		openssl                             # a certificate, for a test's nginx
		python3-kazoo libzookeeper-mt-dev   # clients nobody here wrote
	)
	command -v node >/dev/null || packages+=(nodejs) # and what one of them runs on
	command -v npm >/dev/null || packages+=(npm)
fi

if [ "${1:-}" = bench ]; then
	packages+=(
		zookeeper default-jre-headless libzookeeper-mt-dev
		redis-tools # redis-benchmark; and the server, but no service
	)
fi

# No Debian package has this client. It goes into the build directory, by npm, and
# needs no root; without it one test is skipped, which says so.
node_client() {
	local name=node-zookeeper-client version=1.1.3 dir=${BUILD:-build}/interop-node
	local have=$dir/node_modules/$name/package.json
	grep -qs "\"version\": \"$version\"" "$have" && return
	echo "muster: installing $name $version with npm, into $dir"
	mkdir -p "$dir"
	timeout 120 npm install --prefix "$dir" --no-save --no-package-lock --no-audit --no-fund \
		--ignore-scripts --loglevel=error "$name@$version" >/dev/null && [ -e "$have" ] && return
	echo "muster: npm could not install $name: the test with a Node client WILL BE SKIPPED" >&2
}

missing=()
for p in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || true)
	[ "$status" = "install ok installed" ] || missing+=("$p")
done
# Any nginx will do.
if command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]; then
	kept=()
	for p in "${missing[@]}"; do [ "$p" = nginx-light ] || kept+=("$p"); done
	missing=("${kept[@]}")
fi
if [ ${#missing[@]} = 0 ]; then
	[ "${1:-}" != test ] || node_client
	exit 0
fi

echo "muster: installing Debian packages: ${missing[*]}"
root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "muster: not root, and no sudo. Run as root: apt-get install ${missing[*]}" >&2
		exit 1
	}
	echo "muster: needs root for this step only; asking sudo"
	root=(sudo)
fi

# While packages are installed no service may start: a policy-rc.d of ours says
# so, unless the machine has one of its own.
policy=/usr/sbin/policy-rc.d
ours=no
wants_nginx=no
for p in "${missing[@]}"; do [ "$p" = nginx-light ] && wants_nginx=yes; done
if [ $wants_nginx = yes ] && [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
	"${root[@]}" chmod 755 $policy
	ours=yes
	trap '"${root[@]}" rm -f $policy' EXIT
fi
"${root[@]}" apt-get update -qq || echo "muster: apt-get update failed; trying with the lists there are"
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
# Installing nginx enabled its service, in systemd and in the SysV links: undo both.
if [ $wants_nginx = yes ]; then
	"${root[@]}" deb-systemd-helper disable nginx.service >/dev/null 2>&1 || true
	"${root[@]}" update-rc.d nginx disable >/dev/null 2>&1 || true
	if command -v systemctl >/dev/null; then
		"${root[@]}" systemctl disable nginx.service >/dev/null 2>&1 || true
	fi
	echo "muster: nginx is installed as a program; its service is neither started nor enabled"
fi
[ "${1:-}" != test ] || node_client
