{{/* Names of the bundled Prometheus, and where analysis gets its numbers with and without it. */}}

{{- define "penstock.prometheus.name" -}}
{{ include "penstock.name" . }}-prometheus
{{- end }}

{{- define "penstock.prometheus.clusterName" -}}
{{ include "penstock.clusterName" . }}-prometheus-pods
{{- end }}

{{/* Never the operator's own selector: its Deployment, budget and policies must not take this pod for one of theirs. */}}
{{- define "penstock.prometheus.selector" -}}
app.kubernetes.io/name: penstock-prometheus
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "penstock.prometheus.labels" -}}
{{ include "penstock.prometheus.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "penstock.prometheus.image" -}}
{{- $image := .Values.prometheus.image -}}
{{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag }}{{ end }}
{{- end }}

{{- define "penstock.prometheus.url" -}}
{{- if .Values.prometheus.install -}}
http://{{ include "penstock.prometheus.name" . }}.{{ .Release.Namespace }}.svc:9090
{{- else -}}
http://prometheus.monitoring.svc:9090
{{- end }}
{{- end }}

{{/* An address that is written down always wins. Only an empty one of `default` is filled in, and only there it may be empty. */}}
{{- define "penstock.metricSources" -}}
{{- $sources := deepCopy .Values.metricSources }}
{{- range $name, $source := $sources }}
{{- if and (eq $source.type "prometheus") (not $source.url) }}
{{- if ne $name "default" }}{{ fail (printf "metricSources.%s.url is empty: only that of default may be" $name) }}{{ end }}
{{- $_ := set $source "url" (include "penstock.prometheus.url" $) }}
{{- end }}
{{- end }}
{{- toYaml $sources }}
{{- end }}

{{/* Who passes the policy around every model's pods: the bundled Prometheus too, whose labels only the chart knows. */}}
{{- define "penstock.modelNetworks" -}}
{{- $networks := deepCopy .Values.networkPolicy.models }}
{{- if .Values.prometheus.install }}
{{- $pods := dict "matchLabels" (include "penstock.prometheus.selector" . | fromYaml) }}
{{- $where := dict "matchLabels" (dict "kubernetes.io/metadata.name" .Release.Namespace) }}
{{- $_ := set $networks "prometheus" (append $networks.prometheus (dict "namespaceSelector" $where "podSelector" $pods)) }}
{{- end }}
{{- toYaml $networks }}
{{- end }}

{{- define "penstock.prometheus.notes" -}}
{{- $asked := (index (include "penstock.metricSources" . | fromYaml) "default" | default dict).url }}
{{- $own := include "penstock.prometheus.url" . }}
{{- if .Values.prometheus.install }}
4. Does the bundled Prometheus run? It scrapes model pods every {{ .Values.prometheus.scrapeInterval }}, and its memory ends with its pod.
     kubectl -n {{ .Release.Namespace }} rollout status deployment/{{ include "penstock.prometheus.name" . }}
{{- if ne $asked $own }}

The bundled Prometheus is not the default metric source: {{ with $asked }}metricSources.default.url is {{ . }}{{ else }}there is none{{ end }}. Leave
metricSources.default.url empty to use it.
{{- end }}
{{- if not .Values.networkPolicy.enabled }}

Every pod that reaches {{ $own }} can read every model's numbers: networkPolicy.enabled=true
leaves only the operator in.
{{- end }}
{{- else }}
4. Is there a Prometheus? Analysis asks {{ $asked | default "what analysis.source names" }}; without an answer a rollout holds.
   A small one comes with --set prometheus.install=true
{{- end }}
{{- end }}
