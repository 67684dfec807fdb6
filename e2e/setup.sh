#!/bin/sh
# Installs what the end-to-end tests run, where it is missing: nginx, Chromium,
# curl, Node.js, and the npm packages of node/package-lock.json. For Debian and
# its kin, as root or with sudo; elsewhere it says what to install. The NATS
# server and its command line are built from their Go modules, outside the tree.
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
# Programs in Go, at the versions that nats_server_test.go and
# nats_command_test.go ask for.
go=${GO:-go}
bin=${XDG_CACHE_HOME:-$HOME/.cache}/sidestream/bin
program() { # program MODULE VERSION PACKAGE
	name=$(basename "${3%/v[0-9]*}")
	[ -x "$bin/$name-$2" ] && return
	command -v "$go" >/dev/null || fail "$go is not there to build $name; see https://go.dev/dl/"
	mkdir -p "$bin"
	scratch=$(mktemp -d)
	# A module of its own, since "go install MODULE@VERSION" wants the list of
	# all versions too, which not every proxy has.
	printf 'module scratch\n\ngo 1.26.0\n\nrequire %s %s\n' "$1" "$2" >"$scratch/go.mod"
	(cd "$scratch" && CGO_ENABLED=0 GOWORK=off "$go" build -mod=mod -o "$scratch/$name" "$3") || {
		rm -rf "$scratch"
		fail "go can't build $3 at $2; is a module proxy within reach? A $name of this version may also be put at $bin/$name-$2"
	}
	mv "$scratch/$name" "$bin/$name-$2"
	rm -rf "$scratch"
}
program github.com/nats-io/nats-server/v2 v2.15.2 github.com/nats-io/nats-server/v2
program github.com/nats-io/natscli v0.3.0 github.com/nats-io/natscli/nats
echo "setup.sh: everything is there"
