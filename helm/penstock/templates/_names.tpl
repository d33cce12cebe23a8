{{/* Names and labels, each defined once: every other template includes them and spells none itself. */}}

{{- define "penstock.name" -}}
{{- if contains "penstock" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-penstock{{ end }}
{{- end }}

{{- define "penstock.selector" -}}
app.kubernetes.io/name: penstock
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "penstock.labels" -}}
{{ include "penstock.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "penstock.account" -}}
{{ .Values.serviceAccount.name | default (include "penstock.name" .) }}
{{- end }}

{{- define "penstock.image" -}}
{{- $image := .Values.image -}}
{{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "penstock.warmupImage" -}}
{{ .Values.warmup.image | default (include "penstock.image" .) }}
{{- end }}

{{/* Cluster-scoped names carry the watched namespace, so that one release per team can live side by side. */}}
{{- define "penstock.clusterName" -}}
{{ include "penstock.name" . }}{{ with .Values.watch.namespace }}-{{ . }}{{ end }}
{{- end }}
