#!/bin/sh
# Installs what the end-to-end tests run, where it is missing: nginx, Chromium,
# curl, Node.js, and the npm packages of node/package-lock.json. For Debian and
# its kin, as root or with sudo; elsewhere it says what to install.
set -eu
cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin

packages=
need() { # need COMMAND PACKAGE
	command -v "$1" >/dev/null || packages="$packages $2"
}
need nginx nginx-light
need chromium chromium
need curl curl
need node nodejs
need npm npm

fail() {
	echo "setup.sh: $*" >&2
	exit 1
}

if [ -n "$packages" ]; then
	command -v apt-get >/dev/null ||
		fail "missing:$packages (Debian's names), and there is no apt-get; install them by other means and run this again"
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || fail "missing:$packages; run this as root, or install sudo"
		sudo=sudo
	fi
	$sudo apt-get -q update || echo "setup.sh: the package lists could not be updated; going on with those at hand" >&2
	for package in $packages; do
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$package" ||
			fail "apt-get can't install $package; install it by other means and run this again"
	done
fi

# The packages need a Node.js with fetch and EventTarget.
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] ||
	fail "node is version $(node --version), and 20 is the oldest that will do; see https://nodejs.org/en/download"

# npm notes what it has installed; it need not do so again.
done=node/node_modules/.installed
if ! cmp -s node/package-lock.json "$done"; then
	(cd node && npm ci --no-audit --no-fund --loglevel=error) ||
		fail "npm can't install the packages of node/package-lock.json; is its registry within reach?"
	cp node/package-lock.json "$done"
fi
echo "setup.sh: everything is there"
