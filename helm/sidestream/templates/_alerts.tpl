{{/* The rules of files/alerts.yaml, as far as they are wanted. SELECTOR stands
     there for the matchers, and CLIENTS for how many clients a pod may have. */}}
{{- define "sidestream.alerts" -}}
{{- $rule := .Values.metrics.prometheusRule -}}
{{- $selector := $rule.selector | default (printf "namespace=%q" .Release.Namespace) -}}
{{- $clients := 50000 -}}
{{- if .Values.config.table -}}
  {{- $clients = dig "limits" "clients" 50000 (include "sidestream.given" . | fromYaml) -}}
{{- end -}}
{{- $text := .Files.Get "files/alerts.yaml" | replace "SELECTOR" $selector | replace "CLIENTS" (int $clients | toString) -}}
{{- $wanted := list -}}
{{- range (fromYaml $text).rules -}}
  {{- if not (has .alert $rule.disabled) -}}
    {{- $_ := set . "labels" (merge (deepCopy $rule.alertLabels) .labels) -}}
    {{- $wanted = append $wanted . -}}
  {{- end -}}
{{- end -}}
{{- toYaml $wanted -}}
{{- end -}}
