#!/bin/sh
# Installs what the end-to-end tests run, where it is missing: nginx, HAProxy,
# Apache, Varnish, Chromium, Firefox, curl, Node.js, Java, Maven, kcat, openssl,
# Docker, a busybox to put into images, and the npm packages of
# node/package-lock.json. For Debian and its kin, as root or with sudo; elsewhere
# it says what to install. The NATS server and its command line, Caddy, Helm and
# Kustomize are built from their Go modules, schemas of Kubernetes taken from
# theirs, and Apache Kafka is fetched by Maven, outside the tree.
set -eu
cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin

packages=
commands=
need() { # need COMMAND PACKAGE
	commands="$commands $1"
	command -v "$1" >/dev/null || packages="$packages $2"
}
need nginx nginx-light
need haproxy haproxy
need apache2 apache2-bin
need varnishd varnish
need chromium chromium
need firefox-esr firefox-esr
need curl curl
need node nodejs
need npm npm
need javac default-jdk-headless
need mvn maven
need kcat kcat
need openssl openssl
need dockerd docker.io
need docker docker.io
need busybox busybox-static

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
	# Packages of servers would start them, on ports that others may need.
	policy=
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		policy=/usr/sbin/policy-rc.d
		trap '$sudo rm -f "$policy"' EXIT
		trap 'exit 1' HUP INT TERM
		printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
		$sudo chmod 755 "$policy"
	fi
	$sudo apt-get -q update || echo "setup.sh: the package lists could not be updated; going on with those at hand" >&2
	for package in $packages; do
		# The client of Docker is a package of its own since Debian 13.
		if [ "$package" = docker.io ] && apt-cache show docker-cli >/dev/null 2>&1; then
			package='docker.io docker-cli'
		fi
		# shellcheck disable=SC2086 # it may be two
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $package ||
			fail "apt-get can't install $package; install it by other means and run this again"
	done
	[ -z "$policy" ] || $sudo rm -f "$policy"
	trap - EXIT HUP INT TERM
fi
for command in $commands; do
	command -v "$command" >/dev/null || fail "$command isn't there, although its package is; install it by other means and run this again"
done

# The packages need a Node.js with fetch and EventTarget.
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] ||
	fail "node is version $(node --version), and 20 is the oldest that will do; see https://nodejs.org/en/download"

# Kafka needs a Java of this age, and its tests' own programs a compiler.
major=$(javac -version 2>&1 | sed 's/^javac \([0-9]*\).*/\1/')
[ "$major" -ge 17 ] 2>/dev/null ||
	fail "javac is version ${major:-unknown}, and 17 is the oldest that will do; install a JDK of 17 or newer (openjdk-17-jdk-headless, openjdk-21-jdk-headless)"

# npm notes what it has installed; it need not do so again.
done=node/node_modules/.installed
if ! cmp -s node/package-lock.json "$done"; then
	(cd node && npm ci --no-audit --no-fund --loglevel=error) ||
		fail "npm can't install the packages of node/package-lock.json; is its registry within reach?"
	cp node/package-lock.json "$done"
fi
# Programs in Go, at the versions that nats_server_test.go, nats_command_test.go,
# front_kinds_test.go and chart/chart.go ask for.
go=${GO:-go}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sidestream
bin=$cache/bin
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
program github.com/caddyserver/caddy/v2 v2.11.9 github.com/caddyserver/caddy/v2/cmd/caddy
program helm.sh/helm/v4 v4.3.1 helm.sh/helm/v4/cmd/helm
program sigs.k8s.io/kustomize/kustomize/v5 v5.8.2 sigs.k8s.io/kustomize/kustomize/v5

# What container_test.go compiles, for this kind of machine and for another, is
# compiled here before, so that the test waits for little more than the linker.
compile() { # compile ARCHITECTURE TAGS
	(cd .. && CGO_ENABLED=0 GOARCH=$1 GOCACHE=$cache/container-build "$go" build -trimpath -buildvcs=false -tags "$2" -o /dev/null ./cmd/sidestream) ||
		fail "$go can't build the program for $1"
}
architecture=$("$go" env GOARCH)
compile "$architecture" ''
case $architecture in
arm64) compile amd64 sidestream_noembed ;;
*) compile arm64 sidestream_noembed ;;
esac

# Schemas of Kubernetes and of custom resources, from the Go modules that carry
# them, at the versions that kube/schemas_test.go asks for.
schemas=$cache/schemas
carried() { # carried MODULE VERSION FILE...
	[ -d "$schemas/$1@$2" ] && return
	mkdir -p "$schemas/$(dirname "$1")"
	scratch=$(mktemp -d -p "$schemas")
	# Not into Go's own cache, in which all of Kubernetes would stay.
	(cd "$scratch" && GOMODCACHE=$scratch/modules GOFLAGS=-modcacherw GOWORK=off "$go" mod download "$1@$2") || {
		rm -rf "$scratch"
		fail "go can't fetch the module $1 at $2; is a module proxy within reach?"
	}
	mkdir "$scratch/files"
	module=$1 version=$2
	shift 2
	for file in "$@"; do
		cp "$scratch/modules/$module@$version/$file" "$scratch/files/" || {
			rm -rf "$scratch"
			fail "$module at $version has no $file"
		}
	done
	chmod 755 "$scratch/files"
	# Another run may have been quicker.
	mv -T "$scratch/files" "$schemas/$module@$version" 2>/dev/null || true
	rm -rf "$scratch"
	[ -d "$schemas/$module@$version" ] || fail "the schemas of $module can't be put into $schemas"
}
for version in v1.25.16 v1.29.6 v1.36.3; do
	carried k8s.io/kubernetes "$version" api/openapi-spec/swagger.json
done
for version in v1.2.1 v1.6.3; do
	carried sigs.k8s.io/gateway-api "$version" config/crd/standard/gateway.networking.k8s.io_httproutes.yaml
done
crds=example/prometheus-operator-crd-full/monitoring.coreos.com
carried github.com/prometheus-operator/prometheus-operator v0.85.0 \
	"${crds}_servicemonitors.yaml" "${crds}_podmonitors.yaml" "${crds}_prometheusrules.yaml"

# Apache Kafka, at the version that kafka_server_test.go asks for too. The
# directory is there when all of it is.
kafka=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' kafka/pom.xml)
if [ ! -d "$cache/kafka-$kafka" ]; then
	mkdir -p "$cache"
	scratch=$(mktemp -d -p "$cache")
	mvn -q -B -f kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$scratch" || {
		rm -rf "$scratch"
		fail "Maven can't fetch what kafka/pom.xml names; is a repository within reach (see https://maven.apache.org/settings.html for mirrors)? The jars of Apache Kafka $kafka may also be put into $cache/kafka-$kafka"
	}
	chmod 755 "$scratch"
	# Another run may have been quicker.
	mv -T "$scratch" "$cache/kafka-$kafka" 2>/dev/null || rm -rf "$scratch"
	[ -d "$cache/kafka-$kafka" ] || fail "Apache Kafka can't be put into $cache/kafka-$kafka"
fi

# What Java has to do before a node is up takes half of the time if it has
# been noted down. It is done without where that fails.
archive=$cache/kafka-$kafka.jsa
if [ ! -f "$archive" ]; then
	scratch=$(mktemp -d)
	ports=$(node -e '
		const servers = [0, 0].map(() => require("net").createServer().listen(0, "127.0.0.1"))
		setImmediate(() => servers.forEach(s => { console.log(s.address().port); s.close() }))')
	broker=127.0.0.1:$(echo "$ports" | sed -n 1p) controller=127.0.0.1:$(echo "$ports" | sed -n 2p)
	printf '%s\n' process.roles=broker,controller node.id=1 "log.dirs=$scratch/data" \
		"listeners=PLAINTEXT://$broker,CONTROLLER://$controller" controller.listener.names=CONTROLLER \
		"controller.quorum.voters=1@$controller" >"$scratch/server.properties"
	set -- -Xmx256m -XX:+UseSerialGC -cp "$cache/kafka-$kafka/*" "-Dlog4j2.configurationFile=file:$PWD/kafka/log4j2.properties"
	if java "$@" kafka.tools.StorageTool format -c "$scratch/server.properties" -t Sidestream-archive-AAA >"$scratch/log" 2>&1; then
		java "$@" -XX:ArchiveClassesAtExit="$scratch/jsa" -Xlog:cds=off -Xlog:cds+dynamic=off \
			kafka.Kafka "$scratch/server.properties" >"$scratch/log" 2>&1 &
		java=$!
		tries=300
		until grep -q 'Kafka Server started' "$scratch/log" || [ "$tries" -eq 0 ] || ! kill -0 "$java" 2>/dev/null; do
			tries=$((tries - 1))
			sleep 0.2
		done
		kill "$java" 2>/dev/null || true
		wait "$java" || true
	fi
	mv "$scratch/jsa" "$archive" 2>/dev/null || {
		echo "setup.sh: Java's archive of Kafka's classes can't be made; nodes start more slowly" >&2
		tail -n 5 "$scratch/log" >&2
	}
	rm -rf "$scratch"
fi
echo "setup.sh: everything is there"
