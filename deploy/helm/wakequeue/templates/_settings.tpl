{{/* A setting's variable takes a text as it is, and anything else as JSON. */}}
{{- define "wakequeue.text" -}}
{{ kindIs "string" . | ternary . (toJson .) }}
{{- end }}

{{/* Where Redis is. KEDA reaches it from another namespace. */}}
{{- define "wakequeue.redisUrl" -}}
{{- if .Values.redis.enabled -}}
redis://{{ include "wakequeue.fullname" . }}-redis.{{ .Release.Namespace }}.svc:6379/0
{{- else -}}
{{ .Values.settings.redis_url }}
{{- end }}
{{- end }}

{{- define "wakequeue.drainSeconds" -}}
{{- $text := .Values.settings.drain_within }}
{{- $unit := get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) (regexFind "[a-z]+$" $text) }}
{{- mulf (regexFind "^[0-9.]+" $text | float64) $unit | ceil | int }}
{{- end }}

{{/* The files that a component reads, by their settings: the operator's, and the passwords that are made here. */}}
{{- define "wakequeue.files" -}}
{{- $name := include "wakequeue.fullname" .root }}
{{- $links := dict
  "hook" (list "redis" "grpc")
  "worker" (list "redis" "autoscaler")
  "beat" (list "redis")
  "flower" (list "redis" "flower")
  "doctor" (list "redis" "grpc" "autoscaler") }}
{{- $made := dict "flower_password_file" (dict "secret" (print $name "-flower") "key" "password") }}
{{- if .root.Values.redis.enabled }}
{{- $_ := set $made "redis_password_file" (dict "secret" (print $name "-redis") "key" "password") }}
{{- end }}
{{- range $setting, $file := merge (dict) .root.Values.files $made }}
{{- if has (splitList "_" $setting | first) (get $links $.component) }}
{{ $setting }}: {{ toJson $file }}
{{- end }}
{{- end }}
{{- end }}

{{/* The queue has to be let grow as long as it takes to have the most workers: two tasks for each of a worker's 8 threads. */}}
{{- define "wakequeue.ringBelow" -}}
{{- if .Values.settings.ring_below -}}
{{ toJson .Values.settings.ring_below }}
{{- else if ne .Values.worker.autoscaling.by "none" -}}
{{ mul 16 .Values.worker.autoscaling.maxReplicas }}
{{- end }}
{{- end }}

{{/* The password that the component's Secret has in the cluster, or a new one. */}}
{{- define "wakequeue.keptPassword" -}}
{{- $secret := lookup "v1" "Secret" .root.Release.Namespace (include "wakequeue.name" .) }}
{{- dig "data" "password" "" $secret | b64dec | default (randAlphaNum 32) }}
{{- end }}

{{/* What that URL says, as wakequeue/redis_url.py reads it. */}}
{{- define "wakequeue.redisPlace" -}}
{{- $url := include "wakequeue.redisUrl" . | regexFind "^[^?]+" }}
{{- $scheme := regexFind "^[a-z]+" $url }}
{{- $sentinel := hasPrefix "sentinel" $scheme }}
{{- $parts := regexReplaceAll "^[a-z]+://([^@/]*@)?" $url "" | splitList "/" }}
{{- $addresses := list }}
{{- range first $parts | splitList "," }}
{{- $addresses = append $addresses (regexMatch ":[0-9]+$" . | ternary . (printf "%s:%s" . ($sentinel | ternary "26379" "6379"))) }}
{{- end }}
tls: {{ has $scheme (list "rediss" "sentinels") }}
addresses: {{ join "," $addresses | quote }}
primary: {{ and $sentinel (index $parts 1) | default "" | quote }}
db: {{ $sentinel | ternary (rest (rest $parts)) (rest $parts) | first | default "0" | quote }}
user: {{ regexFind "//[^@/:]*:?@" $url | trimPrefix "//" | trimSuffix "@" | trimSuffix ":" | quote }}
{{- end }}
