{{/*
The Deployment of operator or gateway. Takes a dict: root; component, which is its part of the values
and the command that it runs; port; replicas (absent: nothing is said of them); env, its variables as a
YAML list.
*/}}
{{- define "camera-ingest.deployment" -}}
{{- $root := .root -}}
{{- $values := index $root.Values .component -}}
{{- $selector := include "camera-ingest.selector" (list $root .component) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "camera-ingest.metadata" (dict "root" $root "component" .component "labels" $values.labels "annotations" $values.annotations) | nindent 2 }}
spec:
  {{- if hasKey . "replicas" }}
  replicas: {{ .replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- $selector | nindent 6 }}
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  template:
    metadata:
      {{- include "camera-ingest.podMetadata" (dict "root" $root "component" .component "labels" $values.podLabels "annotations" $values.podAnnotations "unless" (dict "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes" "tmp")) | nindent 6 }}
    spec:
      serviceAccountName: {{ include "camera-ingest.account" (list $root .component) | quote }}
      enableServiceLinks: false # variables of Services begin as ours do
      terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
      {{- with $root.Values.image.pullSecret }}
      imagePullSecrets: [{name: {{ . | quote }}}]
      {{- end }}
      {{- with include "camera-ingest.priorityClass" $root }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      securityContext:
        {{- include "camera-ingest.podSecurity" $root | nindent 8 }}
      containers:
        - name: {{ .component }}
          image: {{ include "camera-ingest.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ .component }}]
          env:
            {{- include "camera-ingest.env" . | nindent 12 }}
          {{- with $values.envFrom }}
          envFrom:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            - {name: http, containerPort: {{ .port }}, protocol: TCP}
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 2
            timeoutSeconds: 2
          {{- with $values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          securityContext:
            {{- include "camera-ingest.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            {{- with $values.volumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - {name: tmp, emptyDir: {sizeLimit: 64Mi}}
        {{- with $values.volumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $values.topologySpreadConstraints }}
      topologySpreadConstraints:
        {{- range . }}
        {{- $own := dict "labelSelector" (dict "matchLabels" ($selector | fromYaml)) }}
        {{- toYaml (list (ternary . (merge $own .) (hasKey . "labelSelector"))) | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- include "camera-ingest.scheduling" $values | nindent 6 }}
{{- end -}}

{{/* Variables of a container: ours, and the user's in the place of ours; takes what deployment takes. */}}
{{- define "camera-ingest.env" -}}
{{- $theirs := (index .root.Values .component).env -}}
{{- $named := list -}}
{{- range $theirs }}{{ $named = append $named .name }}{{ end -}}
{{- $env := list -}}
{{- range concat (include "camera-ingest.env.ours" . | fromYamlArray) (.env | fromYamlArray) -}}
{{- if not (has .name $named) }}{{ $env = append $env . }}{{ end -}}
{{- end -}}
{{- toYaml (concat $env $theirs) -}}
{{- end -}}

{{- define "camera-ingest.env.ours" -}}
- name: CAMERA_INGEST_NAMESPACE
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}
- {name: CAMERA_INGEST_LISTEN, value: ":{{ .port }}"}
- {name: CAMERA_INGEST_LOG_LEVEL, value: {{ .root.Values.logs.level }}}
- {name: CAMERA_INGEST_LOG_FORMAT, value: {{ .root.Values.logs.format }}}
{{- end -}}

{{/*
Labels and annotations of a template's pods; takes what metadata takes, and no name, and what is
annotated unless the user does it himself.
*/}}
{{- define "camera-ingest.podMetadata" -}}
labels:
  {{- toYaml (mergeOverwrite dict .root.Values.commonLabels (.labels | default dict) (include "camera-ingest.selector" (list .root .component) | fromYaml)) | nindent 2 }}
{{- with mergeOverwrite dict (.unless | default dict) .root.Values.commonAnnotations (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where a pod may run; takes what has nodeSelector, tolerations and affinity. */}}
{{- define "camera-ingest.scheduling" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $ $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* ServiceAccount and PodDisruptionBudget of operator or gateway; takes (list root component). */}}
{{- define "camera-ingest.account-and-budget" -}}
{{- $root := first . -}}
{{- $component := last . -}}
{{- $values := index $root.Values $component -}}
{{- if $values.serviceAccount.create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "camera-ingest.metadata" (dict "root" $root "component" $component "name" (include "camera-ingest.account" .) "annotations" $values.serviceAccount.annotations) | nindent 2 }}
---
{{- end }}
{{- $replicas := $values.replicas }}
{{- if dig "autoscaling" "enabled" false $values }}
{{- $replicas = $values.autoscaling.minReplicas }}
{{- end }}
{{- if and $values.podDisruptionBudget.enabled (gt (int $replicas) 1) }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "camera-ingest.metadata" (dict "root" $root "component" $component) | nindent 2 }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "camera-ingest.selector" . | nindent 6 }}
---
{{- end }}
{{- if $root.Values.rbac.create }}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "camera-ingest.metadata" (dict "root" $root "component" $component) | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ include "camera-ingest.name" . }}}
subjects:
  - {kind: ServiceAccount, name: {{ include "camera-ingest.account" . | quote }}, namespace: {{ $root.Release.Namespace | quote }}}
{{- end }}
{{- end -}}
