{{/* The routing table. */}}

{{/* The table as it was given, as YAML. */}}
{{- define "sidestream.given" -}}
{{- $table := .Values.config.table -}}
{{- if kindIs "string" $table -}}
  {{- $table = fromYaml $table -}}
  {{- if hasKey $table "Error" -}}
    {{- fail (printf "config.table is not a mapping in YAML: %s" $table.Error) -}}
  {{- end -}}
{{- end -}}
{{- toYaml $table -}}
{{- end -}}

{{/* The table as the program reads it: what is given, and of what the chart adds
     that which isn't there. A text stays as it is, with its comments, and with
     its lines where the program's complaints will say they are. */}}
{{- define "sidestream.table" -}}
{{- $given := include "sidestream.given" . | fromYaml -}}
{{- $whole := deepCopy $given -}}
{{- $added := dict -}}
{{- range $key, $value := include "sidestream.additions" . | fromYaml -}}
  {{- if not (hasKey $given $key) -}}
    {{- $_ := set $added $key $value -}}
    {{- $_ := set $whole $key $value -}}
  {{- end -}}
{{- end -}}
{{- $text := toYaml $whole -}}
{{- if kindIs "string" .Values.config.table -}}
  {{- $longer := trimSuffix "\n" .Values.config.table -}}
  {{- if $added -}}
    {{- $longer = printf "%s\n\n# Added by the chart.\n%s" $longer (toYaml $added) -}}
  {{- end -}}
  {{- if eq $text (toYaml (fromYaml $longer)) -}}
    {{- $text = $longer -}}
  {{- end -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{/* What the chart adds to a table, as YAML. */}}
{{- define "sidestream.additions" -}}
{{- $address := printf ":%d" (int .Values.ports.http) -}}
{{- $listen := dict -}}
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
{{- if $listen -}}
  {{- $_ := set $listen "address" $address -}}
{{- end -}}
listen: {{ $listen | default $address | toJson }}
trusted_proxies: {{ toJson .Values.trustedProxies }}
drain: {{ include "sidestream.drainValues" . | fromYaml | toJson }}
{{- end -}}

{{/* Where things are in the container. */}}
{{- define "sidestream.configDir" -}}/etc/sidestream{{- end -}}
{{- define "sidestream.tlsDir" -}}/etc/sidestream-tls{{- end -}}
{{- define "sidestream.dataDir" -}}/var/lib/sidestream{{- end -}}
