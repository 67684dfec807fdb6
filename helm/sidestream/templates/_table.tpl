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

{{/* The same for checks: what is there without a value is an empty mapping. */}}
{{- define "sidestream.known" -}}
{{- $table := include "sidestream.given" . | fromYaml -}}
{{- include "sidestream.fill" $table -}}
{{- toYaml $table -}}
{{- end -}}

{{/* Writes empty mappings in place of nulls, however deep. */}}
{{- define "sidestream.fill" -}}
{{- $all := . -}}
{{- if kindIs "map" $all -}}
  {{- range $key, $value := $all -}}
    {{- if kindIs "invalid" $value -}}
      {{- $_ := set $all $key (dict) -}}
    {{- else -}}
      {{- include "sidestream.fill" $value -}}
    {{- end -}}
  {{- end -}}
{{- else if kindIs "slice" $all -}}
  {{- range $all -}}
    {{- include "sidestream.fill" . -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* The table with what the chart adds, as YAML: keys that aren't there, and of
     "drain" and "limits" also each of theirs. */}}
{{- define "sidestream.whole" -}}
{{- $whole := include "sidestream.given" . | fromYaml -}}
{{- range $key, $value := include "sidestream.additions" . | fromYaml -}}
  {{- if kindIs "invalid" (index $whole $key) -}}
    {{- $_ := set $whole $key $value -}}
  {{- else if has $key (list "drain" "limits") -}}
    {{- $own := index $whole $key -}}
    {{- if not (kindIs "map" $own) -}}
      {{- fail (printf "config.table: %s is not a mapping" $key) -}}
    {{- end -}}
    {{- range $name, $default := $value -}}
      {{- if kindIs "invalid" (index $own $name) -}}
        {{- $_ := set $own $name $default -}}
      {{- end -}}
    {{- end -}}
    {{- $_ := set $whole $key $own -}}
  {{- end -}}
{{- end -}}
{{- toYaml $whole -}}
{{- end -}}

{{/* The table as the program reads it. A text stays as it is, with its comments:
     what the chart adds is written at its end, and within "drain" and "limits".
     Where that can't be done, the table is written anew. */}}
{{- define "sidestream.table" -}}
{{- $whole := include "sidestream.whole" . | fromYaml -}}
{{- $text := toYaml $whole -}}
{{- if kindIs "string" .Values.config.table -}}
  {{- $given := include "sidestream.given" . | fromYaml -}}
  {{- $longer := trimSuffix "\n" .Values.config.table -}}
  {{- $added := dict -}}
  {{- range $key, $value := $whole -}}
    {{- if not (hasKey $given $key) -}}
      {{- $_ := set $added $key $value -}}
    {{- else if has $key (list "drain" "limits") -}}
      {{- $own := index $given $key | default dict -}}
      {{- range $name, $default := $value -}}
        {{- if not (hasKey $own $name) -}}
          {{- $line := printf "%s: %s" $name (toJson $default) -}}
          {{- $longer = regexReplaceAll (printf `(?m)^%s:[ \t]*\{` $key) $longer (printf "%s: {%s, " $key $line) -}}
          {{- $longer = regexReplaceAll (printf `(?m)^%s:((?:[ \t]*(?:#.*)?\n)+)([ ]+)` $key) $longer (printf "%s:${1}${2}%s\n${2}" $key $line) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
  {{- if $added -}}
    {{- $longer = printf "%s\n\n# Added by the chart.\n%s" $longer (toYaml $added) -}}
  {{- end -}}
  {{- if eq $text (toYaml (fromYaml $longer)) -}}
    {{- $text = $longer -}}
  {{- else -}}
    {{- include "sidestream.checkWords" (dict "of" $whole "at" "" "name" "") -}}
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
limits: {{ dict "clients" (int .Values.limits.clients) | toJson }}
{{- end -}}

{{/* Where things are in the container. */}}
{{- define "sidestream.configDir" -}}/etc/sidestream{{- end -}}
{{- define "sidestream.tlsDir" -}}/etc/sidestream-tls{{- end -}}
{{- define "sidestream.dataDir" -}}/var/lib/sidestream{{- end -}}
