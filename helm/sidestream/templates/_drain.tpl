{{/* How pods leave. */}}

{{/* A sum of durations as Go writes them, in whole seconds, rounded up. It takes
     a list of pairs: what it is called, and the duration. */}}
{{- define "sidestream.seconds" -}}
{{- $start := toDate "2006-01-02" "2000-01-01" -}}
{{- $end := $start -}}
{{- range . -}}
  {{- $name := index . 0 -}}
  {{- $duration := index . 1 | toString -}}
  {{- if not (regexMatch `^0$|^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$` $duration) -}}
    {{- fail (printf "%s: %q is not a duration; write a number with a unit, such as 250ms, 5s or 1m30s" $name $duration) -}}
  {{- end -}}
  {{- $end = mustDateModify (printf "+%s" $duration) $end -}}
{{- end -}}
{{- $end = mustDateModify "+999999999ns" $end -}}
{{- sub (unixEpoch $end) (unixEpoch $start) -}}
{{- end -}}

{{/* Whether the sidecar is an init container that goes on: "true" or "". */}}
{{- define "sidestream.native" -}}
{{- $native := .Values.sidecar.native -}}
{{- if or (eq $native "always") (and (eq $native "auto") (semverCompare ">=1.29.0-0" .Capabilities.KubeVersion.Version)) -}}
true
{{- end -}}
{{- end -}}

{{/* "drain" as the chart adds it to a table, as YAML. */}}
{{- define "sidestream.drainValues" -}}
{{- $delay := "5s" -}}
{{- if eq .Values.mode "sidecar" -}}
  {{- $delay = ternary "0s" .Values.sidecar.appDelay (eq "true" (include "sidestream.native" .)) -}}
{{- end -}}
{{- toYaml (dict "delay" (.Values.drain.delay | default $delay) "window" .Values.drain.window "timeout" .Values.drain.timeout) -}}
{{- end -}}

{{/* "drain" as it holds, as YAML: the table's own, with what values say for the
     rest. */}}
{{- define "sidestream.drain" -}}
{{- if .Values.config.table -}}
  {{- toYaml (include "sidestream.whole" . | fromYaml).drain -}}
{{- else -}}
  {{- include "sidestream.drainValues" . -}}
{{- end -}}
{{- end -}}

{{/* How long the program takes to leave, in seconds, and 5 s. */}}
{{- define "sidestream.leave" -}}
{{- $drain := include "sidestream.drain" . | fromYaml -}}
{{- $sum := include "sidestream.seconds" (list (list "drain.delay" $drain.delay) (list "drain.window" $drain.window) (list "drain.timeout" $drain.timeout)) -}}
{{- add 5 (int $sum) -}}
{{- end -}}

{{/* terminationGracePeriodSeconds of the gateway. */}}
{{- define "sidestream.gracePeriod" -}}
{{- $leave := int (include "sidestream.leave" .) -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{- $leave -}}
{{- else if lt (int $given) $leave -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is less than the %d s that drain.delay, drain.window, drain.timeout and 5 s take, so that clients would be cut off" (int $given) $leave) -}}
{{- else -}}
{{- int $given -}}
{{- end -}}
{{- end -}}
