{{/*
The sidecar, for charts that have this one as a dependency:

  dependencies:
    - {name: sidestream, version: 0.1.0, repository: …}

with "sidestream: {mode: sidecar, config: {table: …}}" in their values. Each
template takes the context of that chart, ".":

  spec:
    {{- include "sidestream.sidecar" . | nindent 6 }}       # a pod without initContainers and volumes of its own

or, in a pod that has some, or on Kubernetes before 1.29:

    terminationGracePeriodSeconds: {{ include "sidestream.sidecar.gracePeriod" . }}
    initContainers:
      {{- include "sidestream.sidecar.initContainers" . | nindent 8 }}
    containers:
      {{- include "sidestream.sidecar.containers" . | nindent 8 }}
    volumes:
      {{- include "sidestream.sidecar.volumes" . | nindent 8 }}

and in either, in the application's container

  lifecycle: {{- include "sidestream.sidecar.lifecycle" . | nindent 12 }}
  ports:
    - {name: http, containerPort: {{ include "sidestream.sidecar.port" . }}}   # by which the Service finds it
*/}}

{{/* All that a pod needs which has nothing else of the kind, on Kubernetes from
     1.29 on. */}}
{{- define "sidestream.sidecar" -}}
{{- if not (include "sidestream.sidecar.initContainers" .) -}}
  {{- fail "sidestream.sidecar is for native sidecars, which Kubernetes has from 1.29 on; use sidestream.sidecar.containers and sidestream.sidecar.volumes" -}}
{{- end -}}
initContainers:
  {{- include "sidestream.sidecar.initContainers" . | nindent 2 }}
volumes:
  {{- include "sidestream.sidecar.volumes" . | nindent 2 }}
terminationGracePeriodSeconds: {{ include "sidestream.sidecar.gracePeriod" . }}
{{- end -}}

{{/* A list of one, or nothing where the sidecar is no init container. */}}
{{- define "sidestream.sidecar.initContainers" -}}
{{- $ctx := .Subcharts.sidestream | default . -}}
{{- include "sidestream.sidecar.check" $ctx -}}
{{- if include "sidestream.native" $ctx -}}
- restartPolicy: Always
  {{- include "sidestream.container" $ctx | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* A list of one, or nothing where the sidecar is an init container. */}}
{{- define "sidestream.sidecar.containers" -}}
{{- $ctx := .Subcharts.sidestream | default . -}}
{{- include "sidestream.sidecar.check" $ctx -}}
{{- if not (include "sidestream.native" $ctx) -}}
- {{ include "sidestream.container" $ctx | indent 2 | trim }}
{{- end -}}
{{- end -}}

{{- define "sidestream.sidecar.volumes" -}}
{{- $ctx := .Subcharts.sidestream | default . -}}
{{- include "sidestream.sidecar.check" $ctx -}}
{{- include "sidestream.volumes" $ctx -}}
{{- end -}}

{{/* The number of the port that the Service leads to, in place of the
     application's. It belongs to a port of the application's container which has
     the name that is the Service's targetPort: names are looked up in each pod,
     so that pods of before the sidecar serve on while they are replaced. The
     sidecar doesn't declare it, since old clusters (such as 1.29) look up no
     names of init containers, and new ones warn of what is declared twice. */}}
{{- define "sidestream.sidecar.port" -}}
{{- $ctx := .Subcharts.sidestream | default . -}}
{{- include "sidestream.sidecar.check" $ctx -}}
{{- int $ctx.Values.ports.http -}}
{{- end -}}

{{/* How long the application's preStop hook waits, in seconds. A native sidecar
     is told to leave when the application has ended; another one at the same
     time as the application, which has to be there until clients have left. */}}
{{- define "sidestream.sidecar.appDelay" -}}
{{- $parts := list (list "sidecar.appDelay" .Values.sidecar.appDelay) -}}
{{- if not (include "sidestream.native" .) -}}
  {{- $drain := include "sidestream.drain" . | fromYaml -}}
  {{- $parts = list (list "drain.delay" $drain.delay) (list "drain.window" $drain.window) -}}
{{- end -}}
{{- include "sidestream.seconds" $parts -}}
{{- end -}}

{{/* "lifecycle" of the application's container. Before 1.30, where the kubelet
     can't wait by itself, the image has to have a "sleep". */}}
{{- define "sidestream.sidecar.lifecycle" -}}
{{- $ctx := .Subcharts.sidestream | default . -}}
{{- include "sidestream.sidecar.check" $ctx -}}
{{- $seconds := int (include "sidestream.sidecar.appDelay" $ctx) -}}
{{- if eq $seconds 0 -}}
{}
{{- else -}}
preStop:
  {{- if semverCompare ">=1.30.0-0" $ctx.Capabilities.KubeVersion.Version }}
  sleep:
    seconds: {{ $seconds }}
  {{- else }}
  exec:
    command: [sleep, {{ $seconds | quote }}]
  {{- end }}
{{- end -}}
{{- end -}}

{{/* terminationGracePeriodSeconds of the pod: the application's hook and end,
     then the sidecar's. */}}
{{- define "sidestream.sidecar.gracePeriod" -}}
{{- $ctx := .Subcharts.sidestream | default . -}}
{{- include "sidestream.sidecar.check" $ctx -}}
{{- $app := include "sidestream.seconds" (list (list "sidecar.appTimeout" $ctx.Values.sidecar.appTimeout)) -}}
{{- add (int (include "sidestream.sidecar.appDelay" $ctx)) (int $app) (int (include "sidestream.leave" $ctx)) -}}
{{- end -}}

{{- define "sidestream.sidecar.check" -}}
{{- if not (hasKey .Values "sidecar") -}}
  {{- fail "the templates sidestream.sidecar find no dependency called sidestream in this chart; name it in Chart.yaml, without an alias, and run helm dependency build" -}}
{{- end -}}
{{- if ne .Values.mode "sidecar" -}}
  {{- fail "the templates sidestream.sidecar are used, but sidestream.mode is gateway, which installs a Deployment of its own; set sidestream.mode to sidecar" -}}
{{- end -}}
{{- end -}}
