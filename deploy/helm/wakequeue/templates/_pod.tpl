{{/* What our pods have in common. Each takes dict "root" $ "component" "hook". */}}

{{- define "wakequeue.podMetadata" -}}
labels:
  {{- include "wakequeue.podLabels" . | nindent 2 }}
annotations:
  # Another setting, other pods.
  checksum/settings: {{ include (print .root.Template.BasePath "/settings.yaml") .root | sha256sum }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Without the version, which would have all pods begin anew with each one of the chart. */}}
{{- define "wakequeue.podLabels" -}}
{{ include "wakequeue.selector" . }}
{{- with merge (dict) .root.Values.podLabels .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "wakequeue.podSpec" -}}
{{- if and (has .component (list "hook" "worker" "doctor")) (ne .root.Values.settings.kubernetes "off") }}
serviceAccountName: {{ include "wakequeue.name" . }}
automountServiceAccountToken: true
{{- else }}
automountServiceAccountToken: false
{{- end }}
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "wakequeue.podSecurity" . | nindent 2 }}
volumes:
  - name: tmp
    emptyDir: {}
  {{- with include "wakequeue.files" . | fromYaml }}
  - name: files
    projected:
      defaultMode: 0440
      sources:
        {{- range $setting, $file := . }}
        - {{ hasKey $file "secret" | ternary "secret" "configMap" }}:
            name: {{ $file.secret | default $file.configMap }}
            items: [{key: {{ $file.key | quote }}, path: {{ $setting }}}]
        {{- end }}
  {{- end }}
  {{- if eq .component "flower" }}
  - name: data
    {{- if .root.Values.flower.persistence.enabled }}
    persistentVolumeClaim: {claimName: {{ include "wakequeue.name" . }}}
    {{- else }}
    emptyDir: {}
    {{- end }}
  {{- end }}
{{- include "wakequeue.placement" . }}
{{- end }}

{{/* Where a pod runs. */}}
{{- define "wakequeue.placement" -}}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if and .root.Values.topologySpread (has .component (list "hook" "worker" "beat")) }}
topologySpreadConstraints:
  {{- range .root.Values.topologySpread }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "wakequeue.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "wakequeue.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "wakequeue.containerSecurity" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{/* A container of our image: all but its name, ports and probes. */}}
{{- define "wakequeue.container" -}}
{{- $image := .root.Values.image -}}
{{- $version := $image.tag | default .root.Chart.AppVersion | print ":" -}}
image: {{ $image.repository }}{{ $image.digest | empty | ternary $version (print "@" $image.digest) }}
imagePullPolicy: {{ $image.pullPolicy }}
args: [{{ .component }}]
securityContext:
  {{- include "wakequeue.containerSecurity" . | nindent 2 }}
envFrom:
  - configMapRef: {name: {{ include "wakequeue.fullname" .root }}-settings}
{{- with include "wakequeue.env" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if include "wakequeue.files" . | fromYaml }}
  - {name: files, mountPath: /etc/wakequeue, readOnly: true}
  {{- end }}
  {{- if eq .component "flower" }}
  - {name: data, mountPath: /var/lib/wakequeue}
  {{- end }}
{{- end }}

{{/* What differs from component to component. A setting of gRPC may need a file that only the front has. */}}
{{- define "wakequeue.env" -}}
{{- if has .component (list "hook" "doctor") }}
{{- range $setting, $value := .root.Values.settings }}
{{- if hasPrefix "grpc_" $setting }}
- {name: WAKEQUEUE_{{ upper $setting }}, value: {{ include "wakequeue.text" $value | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- range $setting, $_ := include "wakequeue.files" . | fromYaml }}
- {name: WAKEQUEUE_{{ upper $setting }}, value: /etc/wakequeue/{{ $setting }}}
{{- end }}
{{- with .root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The probes of what serves nothing but its admin port. */}}
{{- define "wakequeue.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 30
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 5
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 10
  timeoutSeconds: 3
{{- end }}

{{- define "wakequeue.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClassName }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests: {storage: {{ .size }}}
{{- end }}
