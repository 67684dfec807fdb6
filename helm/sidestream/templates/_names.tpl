{{/* Names and labels. Every template here takes the context of this chart. */}}

{{- define "sidestream.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "sidestream.fullname" -}}
{{- $name := include "sidestream.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sidestream.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sidestream.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: gateway
{{- end -}}

{{/* The labels that are the chart's own. */}}
{{- define "sidestream.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "sidestream.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: {{ .Values.mode }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Those of an object: the chart's own, and commonLabels. */}}
{{- define "sidestream.labels" -}}
{{- include "sidestream.ownLabels" . -}}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The same of an object with labels of its own, which go before commonLabels.
     It takes the context as ctx, and those as more. */}}
{{- define "sidestream.labelsWith" -}}
{{- include "sidestream.ownLabels" .ctx -}}
{{- with merge (dict) .more .ctx.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sidestream.configMapName" -}}
{{- .Values.config.existingConfigMap | default (include "sidestream.fullname" .) -}}
{{- end -}}

{{- define "sidestream.claimName" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-history" (include "sidestream.fullname" .)) -}}
{{- end -}}

{{- define "sidestream.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "sidestream.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "sidestream.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The port of the Service for clients. */}}
{{- define "sidestream.servicePort" -}}
{{- .Values.service.port | default (ternary 443 80 (ne .Values.tls.existingSecret "")) -}}
{{- end -}}

{{/* Of the pod of "helm test", which the NetworkPolicy lets in. */}}
{{- define "sidestream.testLabels" -}}
app.kubernetes.io/name: {{ include "sidestream.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: test
{{- end -}}
