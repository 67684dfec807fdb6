{{/*
What controllers need so that streams pass at once and last, as YAML. The
program itself says "X-Accel-Buffering: no" and "no-transform", and writes
something every 15 s (heartbeat), which keeps each of them below its default
timeout; the annotations are for routes with a longer heartbeat, and for
controllers that were configured otherwise. Two controllers go by the class
nginx, and two by haproxy; each ignores what is the other's.
*/}}
{{- define "sidestream.ingressAnnotations" -}}
{{- $controller := .Values.ingress.controller | default .Values.ingress.className -}}
{{- $https := ne .Values.tls.existingSecret "" -}}
{{- if eq $controller "nginx" -}}
nginx.ingress.kubernetes.io/proxy-buffering: "off"
nginx.ingress.kubernetes.io/proxy-read-timeout: "3600"
nginx.ingress.kubernetes.io/proxy-send-timeout: "3600"
nginx.org/proxy-buffering: "false"
nginx.org/proxy-read-timeout: 1h
nginx.org/proxy-send-timeout: 1h
{{- if $https }}
nginx.ingress.kubernetes.io/backend-protocol: HTTPS
nginx.org/ssl-services: {{ include "sidestream.fullname" . }}
{{- end }}
{{- else if eq $controller "haproxy" -}}
haproxy.org/timeout-server: 1h
haproxy-ingress.github.io/timeout-server: 1h
{{- /* Otherwise HAProxy waits up to 0.2 s for more to send. */}}
haproxy.org/backend-config-snippet: option http-no-delay
haproxy-ingress.github.io/config-backend: option http-no-delay
{{- if $https }}
haproxy.org/server-ssl: "true"
haproxy-ingress.github.io/backend-protocol: h1-ssl
{{- end }}
{{- else if eq $controller "alb" -}}
alb.ingress.kubernetes.io/target-type: ip
alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds=3600
{{- /* As long as a pod needs to send its clients away, and no longer. */}}
alb.ingress.kubernetes.io/target-group-attributes: deregistration_delay.timeout_seconds={{ include "sidestream.gracePeriod" . }}
alb.ingress.kubernetes.io/healthcheck-path: /readyz
alb.ingress.kubernetes.io/healthcheck-protocol: HTTP
alb.ingress.kubernetes.io/healthcheck-port: {{ int .Values.ports.admin | quote }}
{{- if $https }}
alb.ingress.kubernetes.io/backend-protocol: HTTPS
{{- end }}
{{- end -}}
{{- end -}}
