{{/* Most take what is made for a component: dict "root" $ "component" "hook". */}}

{{/* Short enough for the longest ending in a label of 63: a revision of the StatefulSet, -redis-0123456789. */}}
{{- define "wakequeue.fullname" -}}
{{- $name := .Release.Name }}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end }}
{{- .Values.fullnameOverride | default $name | trunc 45 | trimSuffix "-" }}
{{- end }}

{{- define "wakequeue.name" -}}
{{ include "wakequeue.fullname" .root }}-{{ .component }}
{{- end }}

{{/* Of what isn't in our namespace, where another release's could be called the same. */}}
{{- define "wakequeue.clusterName" -}}
{{ .root.Release.Namespace }}:{{ include "wakequeue.name" . }}
{{- end }}

{{- define "wakequeue.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "wakequeue.labels" -}}
{{ include "wakequeue.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Metadata of an object, all but its name; `.labels` and `.annotations` are more of them. */}}
{{- define "wakequeue.metadata" -}}
namespace: {{ .root.Release.Namespace }}
{{ include "wakequeue.clusterMetadata" . }}
{{- end }}

{{- define "wakequeue.clusterMetadata" -}}
labels:
  {{- include "wakequeue.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A selector of the pods of the components `.of`. */}}
{{- define "wakequeue.podsOf" -}}
matchLabels:
  app.kubernetes.io/name: {{ .root.Chart.Name }}
  app.kubernetes.io/instance: {{ .root.Release.Name }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: [{{ join ", " .of }}]}
{{- end }}
