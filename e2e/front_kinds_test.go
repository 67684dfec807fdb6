package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// caddyProgram is what setup.sh builds.
const caddyProgram = "caddy-v2.11.9"

// A frontKind is a program that is used as a proxy.
type frontKind struct {
	// configure writes its files, and returns the command that runs it. What
	// stands in the document is put into a frame that keeps it inside of the
	// test's directory.
	configure func(tb testing.TB, f *front) []string

	// reload has it read its configuration again, as its users would.
	reload func(tb testing.TB, f *front)
}

// installed returns the path of a program that need not be in everybody's
// PATH.
func installed(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return "/usr/sbin/" + name
	}
	return path
}

// signalled is how several programs are told to read their configuration
// again.
func signalled(s syscall.Signal) func(testing.TB, *front) {
	return func(tb testing.TB, f *front) {
		tb.Helper()
		f.signal(tb, s)
	}
}

// mustRun runs a command to its end.
func mustRun(tb testing.TB, name string, args ...string) {
	tb.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func nginxFront() frontKind {
	return frontKind{
		configure: func(tb testing.TB, f *front) []string {
			tb.Helper()
			addresses := []string{"listen 80", "listen " + f.address, "http://127.0.0.1:8080", f.target}
			if f.tls {
				addresses = []string{
					"listen 443", "listen " + f.address, "http://127.0.0.1:8080", f.target, "/var/cache/nginx/app", f.file("cache"),
					"/etc/ssl/example.com.crt", f.file("crt"), "/etc/ssl/example.com.key", f.file("key"),
				}
			}
			f.write(tb, "nginx.conf", fmt.Sprintf(`
daemon off;
user root;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
%[2]s
}
`, f.dir, f.snippet(tb, "", addresses...)))
			return []string{installed("nginx"), "-p", f.dir, "-e", "stderr", "-c", f.file("nginx.conf")}
		},
		reload: signalled(syscall.SIGHUP),
	}
}

func haproxyFront() frontKind {
	return frontKind{
		configure: func(tb testing.TB, f *front) []string {
			tb.Helper()
			addresses := []string{"bind :80", "bind " + f.address}
			if f.tls {
				addresses = []string{"bind :443", "bind " + f.address, "/etc/haproxy/example.com.pem", f.file("pem")}
			}
			f.write(tb, "haproxy.cfg", f.snippet(tb, "", append(addresses, "127.0.0.1:8080", strings.TrimPrefix(f.target, "http://"))...))
			return []string{installed("haproxy"), "-W", "-f", f.file("haproxy.cfg")}
		},
		reload: signalled(syscall.SIGUSR2),
	}
}

func caddyFront() frontKind {
	return frontKind{
		configure: func(tb testing.TB, f *front) []string {
			tb.Helper()
			addresses := []string{":80 {", f.url + " {"}
			if f.tls {
				addresses = []string{"example.com {", fmt.Sprintf("%s {\n\ttls %s %s", f.url, f.file("crt"), f.file("key"))}
			}
			admin := fmt.Sprintf("127.0.0.1:%d", freePort(tb))
			f.write(tb, "admin", admin)
			f.write(tb, "Caddyfile", fmt.Sprintf(`{
	admin %s
	default_bind 127.0.0.1
	auto_https disable_redirects
	persist_config off
	storage file_system %s
}
%s`, admin, f.dir, f.snippet(tb, "", append(addresses, "127.0.0.1:8080", strings.TrimPrefix(f.target, "http://"))...)))
			return []string{cachedProgram(tb, caddyProgram), "run", "--config", f.file("Caddyfile")}
		},
		reload: func(tb testing.TB, f *front) {
			tb.Helper()
			mustRun(tb, cachedProgram(tb, caddyProgram), "reload", "--force", "--config", f.file("Caddyfile"), "--address", f.read(tb, "admin"))
		},
	}
}

func apacheFront() frontKind {
	return frontKind{
		configure: func(tb testing.TB, f *front) []string {
			tb.Helper()
			addresses := []string{"*:80>", f.address + ">", "http://127.0.0.1:8080/", f.target + "/"}
			if f.tls {
				addresses = []string{
					"*:443>", f.address + ">", "http://127.0.0.1:8080/", f.target + "/",
					"/etc/ssl/example.com.crt", f.file("crt"), "/etc/ssl/example.com.key", f.file("key"),
				}
			}
			var modules strings.Builder
			for _, name := range []string{"mpm_event", "authz_core", "proxy", "proxy_http", "headers", "filter", "deflate", "ssl", "socache_shmcb", "http2"} {
				fmt.Fprintf(&modules, "LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n", name, name)
			}
			f.write(tb, "apache2.conf", fmt.Sprintf(`
ServerRoot %[1]s
DefaultRuntimeDir %[1]s
PidFile %[1]s/pid
Mutex file:%[1]s default
ErrorLog /dev/stderr
User www-data
Group www-data
ServerName 127.0.0.1
Listen %[2]s
%[3]s
%[4]s
`, f.dir, f.address, modules.String(), f.snippet(tb, "", addresses...)))
			return []string{installed("apache2"), "-D", "FOREGROUND", "-f", f.file("apache2.conf")}
		},
		reload: signalled(syscall.SIGUSR1),
	}
}

// varnishFront runs Varnish with more parameters.
func varnishFront(parameters ...string) frontKind {
	return frontKind{
		configure: func(tb testing.TB, f *front) []string {
			tb.Helper()
			host, port, err := net.SplitHostPort(strings.TrimPrefix(f.target, "http://"))
			if err != nil {
				tb.Fatal(err)
			}
			f.write(tb, "default.vcl", f.snippet(tb, "", "127.0.0.1", host, "8080", port))
			command := []string{
				installed("varnishd"), "-F", "-j", "none", "-n", f.file("work"), "-a", f.address, "-f", f.file("default.vcl"),
				"-s", "malloc,32m", "-p", "vsl_space=8m", "-p", "thread_pool_min=10", "-p", "thread_pool_max=50",
			}
			for _, p := range parameters {
				command = append(command, "-p", p)
			}
			return command
		},
		reload: func(tb testing.TB, f *front) {
			tb.Helper()
			admin, err := exec.LookPath("varnishadm")
			if err != nil {
				tb.Fatal(err)
			}
			mustRun(tb, admin, "-n", f.file("work"), "vcl.load", "again", f.file("default.vcl"))
			mustRun(tb, admin, "-n", f.file("work"), "vcl.use", "again")
		},
	}
}

// traefikFront runs the Traefik at path.
func traefikFront(path string) frontKind {
	return frontKind{
		configure: func(tb testing.TB, f *front) []string {
			tb.Helper()
			f.write(tb, "dynamic.yaml", f.snippet(tb, " dynamic", "http://127.0.0.1:8080", f.target,
				"/etc/ssl/example.com.crt", f.file("crt"), "/etc/ssl/example.com.key", f.file("key")))
			f.write(tb, "traefik.yaml", f.snippet(tb, " static", ":443", f.address, "/etc/traefik/dynamic.yaml", f.file("dynamic.yaml")))
			return []string{path, "--configfile=" + f.file("traefik.yaml")}
		},
		reload: func(tb testing.TB, f *front) {
			tb.Helper()
			replaceFile(tb, f.file("dynamic.yaml"), "# again\n"+f.read(tb, "dynamic.yaml"))
		},
	}
}

// file returns the path of a file of the proxy's.
func (f *front) file(name string) string { return filepath.Join(f.dir, name) }
