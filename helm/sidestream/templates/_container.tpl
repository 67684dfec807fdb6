{{/* The container of the program, the same for the gateway and the sidecar. It
     takes the context of this chart. */}}
{{- define "sidestream.container" -}}
name: {{ ternary .Values.sidecar.name "sidestream" (eq .Values.mode "sidecar") | quote }}
image: {{ include "sidestream.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - serve
  - --config={{ include "sidestream.configDir" . }}/{{ .Values.config.key }}
  {{- range .Values.extraArgs }}
  - {{ . | quote }}
  {{- end }}
{{- if .Values.persistence.enabled }}
# The table's directories are below it, unless they begin with a slash.
workingDir: {{ include "sidestream.dataDir" . }}
{{- end }}
env:
  - name: SIDESTREAM_ADMIN
    value: ":{{ int .Values.ports.admin }}"
  {{- range $secret := .Values.secrets }}
  {{- range $variable, $key := $secret.env }}
  - name: {{ $variable | quote }}
    valueFrom:
      secretKeyRef:
        name: {{ $secret.existingSecret | quote }}
        key: {{ $key | quote }}
  {{- end }}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- if eq .Values.mode "gateway" }}
  - name: sidestream
    containerPort: {{ int .Values.ports.http }}
    protocol: TCP
  {{- end }}
  - name: sidestream-ops
    containerPort: {{ int .Values.ports.admin }}
    protocol: TCP
{{- include "sidestream.probe" (list "startupProbe" .Values.startupProbe "/healthz") }}
{{- include "sidestream.probe" (list "livenessProbe" .Values.livenessProbe "/healthz") }}
{{- include "sidestream.probe" (list "readinessProbe" .Values.readinessProbe "/readyz") }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  # A directory, not a subPath: only so a change of the ConfigMap gets in.
  - name: sidestream-config
    mountPath: {{ include "sidestream.configDir" . }}
    readOnly: true
  {{- if .Values.tls.existingSecret }}
  - name: sidestream-tls
    mountPath: {{ include "sidestream.tlsDir" . }}
    readOnly: true
  {{- end }}
  {{- range $i, $secret := .Values.secrets }}
  {{- if $secret.mountPath }}
  - name: sidestream-secret-{{ $i }}
    mountPath: {{ $secret.mountPath | quote }}
    readOnly: true
  {{- end }}
  {{- end }}
  {{- if .Values.persistence.enabled }}
  - name: sidestream-data
    mountPath: {{ include "sidestream.dataDir" . }}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* A probe of the admin listener, if it is wanted: its name, what values say,
     and the path. A handler in values goes before that. */}}
{{- define "sidestream.probe" -}}
{{- $name := index . 0 -}}
{{- $probe := index . 1 -}}
{{- if $probe -}}
  {{- if not (or $probe.httpGet $probe.exec $probe.tcpSocket $probe.grpc) -}}
    {{- $probe = merge (dict "httpGet" (dict "path" (index . 2) "port" "sidestream-ops")) $probe -}}
  {{- end }}
{{ $name }}:
  {{- toYaml $probe | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Its volumes. */}}
{{- define "sidestream.volumes" -}}
- name: sidestream-config
  configMap:
    name: {{ include "sidestream.configMapName" . | quote }}
{{- if .Values.tls.existingSecret }}
- name: sidestream-tls
  secret:
    secretName: {{ .Values.tls.existingSecret | quote }}
{{- end }}
{{- range $i, $secret := .Values.secrets }}
{{- if $secret.mountPath }}
- name: sidestream-secret-{{ $i }}
  secret:
    secretName: {{ $secret.existingSecret | quote }}
{{- end }}
{{- end }}
{{- if .Values.persistence.enabled }}
- name: sidestream-data
  persistentVolumeClaim:
    claimName: {{ include "sidestream.claimName" . | quote }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
