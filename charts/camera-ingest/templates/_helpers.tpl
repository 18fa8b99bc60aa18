{{/* What every object begins its name with. */}}
{{- define "camera-ingest.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* The name of a component's objects; takes (list root component). */}}
{{- define "camera-ingest.name" -}}
{{ include "camera-ingest.fullname" (first .) }}-{{ last . }}
{{- end -}}

{{/* Labels by which a component's pods are found; takes (list root component). */}}
{{- define "camera-ingest.selector" -}}
app.kubernetes.io/name: camera-ingest
app.kubernetes.io/instance: {{ (first .).Release.Name | quote }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{/* Labels by which the workers of every pool are found: the operator sets them. */}}
{{- define "camera-ingest.workers" -}}
app.kubernetes.io/name: camera-ingest
app.kubernetes.io/component: worker
{{- end -}}

{{/*
Name, namespace, labels and annotations of an object. Takes a dict: root, component; and where they
are wanted name (default: the component's), cluster (it is in no namespace), labels, annotations.
*/}}
{{- define "camera-ingest.metadata" -}}
{{- $root := .root -}}
{{- $ours := include "camera-ingest.selector" (list $root .component) | fromYaml -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $ours "app.kubernetes.io/version" ($root.Chart.AppVersion | toString | replace "+" "_") -}}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
name: {{ .name | default (include "camera-ingest.name" (list $root .component)) | quote }}
{{- if not .cluster }}
namespace: {{ $root.Release.Namespace | quote }}
{{- end }}
labels:
  {{- toYaml (mergeOverwrite dict $root.Values.commonLabels (.labels | default dict) $ours) | nindent 2 }}
{{- with mergeOverwrite dict $root.Values.commonAnnotations (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "camera-ingest.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of a component's service account; takes (list root component). */}}
{{- define "camera-ingest.account" -}}
{{- $account := (index (first .).Values (last .)).serviceAccount -}}
{{- if $account.name -}}
{{ $account.name }}
{{- else if $account.create -}}
{{ include "camera-ingest.name" . }}
{{- else -}}
{{ fail (printf "%s.serviceAccount.name must say whose it is, if none is made: that called default is every pod's" (last .)) }}
{{- end -}}
{{- end -}}

{{- define "camera-ingest.priorityClass" -}}
{{- with .Values.priorityClass -}}
{{- if .name -}}
{{ .name }}
{{- else if .create -}}
{{ include "camera-ingest.fullname" $ }}.{{ $.Release.Namespace }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The same before an upgrade: one that the chart makes may not be there yet, and then no pod may name it. */}}
{{- define "camera-ingest.priorityClass.before" -}}
{{- $name := include "camera-ingest.priorityClass" . -}}
{{- if or (not .Values.priorityClass.create) (lookup "scheduling.k8s.io/v1" "PriorityClass" "" $name) -}}
{{ $name }}
{{- end -}}
{{- end -}}

{{/*
Replicas of what an autoscaler scales: as many as there are; empty: nothing is said. Helm takes what a
release no longer says for what is to be undone, and then the API server's default, 1, holds. Who
renders without a cluster says nothing, lest each time scales it back. Takes (list root apiVersion kind name).
*/}}
{{- define "camera-ingest.replicas" -}}
{{- $root := first . -}}
{{- if $root.Release.IsUpgrade -}}
{{- $spec := (lookup (index . 1) (index . 2) $root.Release.Namespace (last .)).spec | default dict -}}
{{- if hasKey $spec "replicas" -}}
{{ int $spec.replicas }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where Redis is, if no Secret of the user's says it. */}}
{{- define "camera-ingest.redisUrl" -}}
{{ .Values.redis.url | default (printf "redis://%s.%s:6379/0" (include "camera-ingest.name" (list . "redis")) .Release.Namespace) }}
{{- end -}}

{{/*
Name of the Secret whose key `url` says where Redis is; empty: nowhere. A container reads it only when
it starts, so that of the chart has another name when it says something else: workers are replaced. No
more of the hash than that takes, for a name is seen by those who may not see the password in the URL.
*/}}
{{- define "camera-ingest.redisSecret" -}}
{{- with .Values.redis -}}
{{- $ways := ternary 1 0 (ne .existingSecret "") | add (ternary 1 0 (ne .url "")) | add (ternary 1 0 .bundled.enabled) -}}
{{- if gt (int $ways) 1 -}}
{{ fail "redis: give at most one of existingSecret, url, bundled.enabled" }}
{{- end -}}
{{- if .existingSecret -}}
{{ .existingSecret }}
{{- else if or .url .bundled.enabled -}}
{{ include "camera-ingest.name" (list $ "redis") }}-{{ include "camera-ingest.redisUrl" $ | sha256sum | trunc 4 }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of the Secret by which the chart's pool says itself where its Redis is; empty: it does not. */}}
{{- define "camera-ingest.poolRedis" -}}
{{- if .Values.pool.enabled -}}
{{- with .Values.pool.spec -}}{{- with .worker -}}{{- with .redisUrlSecretRef -}}
{{ .name }}
{{- end -}}{{- end -}}{{- end -}}
{{- end -}}
{{- end -}}

{{/* User and group of every pod; empty: as the platform says. `--reuse-values` of a release before may lack the value. */}}
{{- define "camera-ingest.user" -}}
{{- if not (hasKey .Values "runAsUser") -}}
65532
{{- else if ne (toString .Values.runAsUser) "platform" -}}
{{ int64 .Values.runAsUser }}
{{- end -}}
{{- end -}}

{{/* Security of a pod and of a container, as Pod Security `restricted` asks, and more. */}}
{{- define "camera-ingest.podSecurity" -}}
runAsNonRoot: true
{{- with include "camera-ingest.user" . }}
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "camera-ingest.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
