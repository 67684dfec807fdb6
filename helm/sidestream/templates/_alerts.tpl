{{/* The rules of files/alerts.yaml, as far as they are wanted, and more. SELECTOR stands
     there for the matchers, CLIENTS for how many clients a pod may have, and
     STATE_AGE for how old a state may be. */}}
{{- define "sidestream.alerts" -}}
{{- $rule := .Values.metrics.prometheusRule -}}
{{- $selector := $rule.selector | default (printf "namespace=%q" .Release.Namespace) -}}
{{- $clients := .Values.limits.clients -}}
{{- if .Values.config.table -}}
  {{- $clients = (include "sidestream.whole" . | fromYaml).limits.clients -}}
{{- end -}}
{{- $text := .Files.Get "files/alerts.yaml" | replace "SELECTOR" $selector | replace "CLIENTS" (int $clients | toString) | replace "STATE_AGE" (int $rule.stateAge | toString) -}}
{{- $wanted := list -}}
{{- range (fromYaml $text).rules -}}
  {{- if not (has .alert $rule.disabled) -}}
    {{- $_ := set . "labels" (merge (deepCopy $rule.alertLabels) .labels) -}}
    {{- $wanted = append $wanted . -}}
  {{- end -}}
{{- end -}}
{{- toYaml (concat $wanted $rule.additionalRules) -}}
{{- end -}}
