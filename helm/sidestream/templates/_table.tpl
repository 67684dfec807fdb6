{{/* The routing table. */}}

{{/* The table as it was given, as YAML. */}}
{{- define "sidestream.given" -}}
{{- $table := .Values.config.table -}}
{{- if kindIs "string" $table -}}
  {{- $table = fromYaml $table -}}
  {{- if hasKey $table "Error" -}}
    {{- fail (printf "config.table is not YAML: %s" $table.Error) -}}
  {{- end -}}
{{- end -}}
{{- toYaml $table -}}
{{- end -}}

{{/* The table as the program reads it. What is given goes before what the chart
     adds. */}}
{{- define "sidestream.table" -}}
{{- $table := include "sidestream.given" . | fromYaml -}}
{{- if not (hasKey $table "listen") -}}
  {{- $_ := set $table "listen" (include "sidestream.listen" . | fromYaml).listen -}}
{{- end -}}
{{- if not (hasKey $table "trusted_proxies") -}}
  {{- $_ := set $table "trusted_proxies" .Values.trustedProxies -}}
{{- end -}}
{{- $_ := set $table "drain" (include "sidestream.drain" . | fromYaml) -}}
{{- if .Values.persistence.enabled -}}
  {{- $embedded := dict "nats" (dict "embedded" (dict "dir" (printf "%s/history" (include "sidestream.dataDir" .)))) -}}
  {{- $_ := set $table "history" (merge ($table.history | default dict) $embedded) -}}
{{- end -}}
{{- toYaml $table -}}
{{- end -}}

{{- define "sidestream.listen" -}}
{{- $address := printf ":%d" (int .Values.ports.http) -}}
{{- $listen := dict "address" $address -}}
{{- if .Values.tls.existingSecret -}}
  {{- $dir := include "sidestream.tlsDir" . -}}
  {{- $tls := dict "cert" (printf "%s/tls.crt" $dir) "key" (printf "%s/tls.key" $dir) "min_version" .Values.tls.minVersion -}}
  {{- with .Values.tls.clientCA -}}
    {{- $_ := set $tls "client_ca" (printf "%s/%s" $dir .) -}}
  {{- end -}}
  {{- $_ := set $listen "tls" $tls -}}
{{- end -}}
{{- with .Values.proxyProtocol -}}
  {{- $_ := set $listen "proxy_protocol" . -}}
{{- end -}}
{{- toYaml (dict "listen" (ternary (list $address) (list $listen) (eq 1 (len $listen)))) -}}
{{- end -}}

{{/* Where things are in the container. */}}
{{- define "sidestream.configDir" -}}/etc/sidestream{{- end -}}
{{- define "sidestream.tlsDir" -}}/etc/sidestream-tls{{- end -}}
{{- define "sidestream.dataDir" -}}/var/lib/sidestream{{- end -}}
