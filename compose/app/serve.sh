# The legacy application of compose.yaml: files below /www, one of which
# changes. httpd forks, so that each request finds a whole file.
set -eu
mkdir -p /www/api
cp /app/index.html /www/

orders() {
	n=0
	while true; do
		n=$((n + 1))
		cat >/www/orders.new <<-END
			{"orders": [
			  {"id": "A-1", "status": "packed", "checked": "$(date -u +%H:%M:%S)"},
			  {"id": "A-2", "status": "on its way", "checked": "never"}
			], "changes": $n}
		END
		mv /www/orders.new /www/api/orders
		sleep 2
	done
}
orders &
until [ -e /www/api/orders ]; do sleep 0.1; done

printf '%s\n' '.html:text/html; charset=utf-8' 'I:index.html' >/www/httpd.conf
exec httpd -f -p 3000 -h /www -c /www/httpd.conf
