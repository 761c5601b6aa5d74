{{- define "hubferry.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "hubferry.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "hubferry.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "hubferry.selector" -}}
app.kubernetes.io/name: {{ include "hubferry.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hubferry.labels" -}}
{{ include "hubferry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "hubferry.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "hubferry.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "hubferry.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How many workers a rolling update may add. A StatefulSet replaces its pods in place. */}}
{{- define "hubferry.surge" -}}
{{- if eq .Values.workers.kind "StatefulSet" -}}0{{- else -}}{{ .Values.workers.maxSurge }}{{- end -}}
{{- end -}}

{{/* The most processes that may ever take calls: the autoscaler's maximum, the surge, and a replay beside them. */}}
{{- define "hubferry.maxWorkers" -}}
{{- add (int .Values.workers.max) (int (include "hubferry.surge" .)) (.Values.replay.enabled | ternary 1 0) -}}
{{- end -}}

{{- define "hubferry.drainSeconds" -}}
{{- sub (int .Values.workers.terminationGracePeriodSeconds) 5 -}}
{{- end -}}

{{/* `30s`, `2m`, `500ms` in milliseconds. What is not a duration is hubferry's to refuse: 0. */}}
{{- define "hubferry.milliseconds" -}}
{{- $text := toString . -}}
{{- if regexMatch "^[0-9]+ms$" $text -}}{{ trimSuffix "ms" $text | int }}
{{- else if regexMatch "^[0-9]+s$" $text -}}{{ mul (trimSuffix "s" $text | int) 1000 }}
{{- else if regexMatch "^[0-9]+m$" $text -}}{{ mul (trimSuffix "m" $text | int) 60000 }}
{{- else if regexMatch "^[0-9]+h$" $text -}}{{ mul (trimSuffix "h" $text | int) 3600000 }}
{{- else -}}0{{- end -}}
{{- end -}}

{{/* What the schema cannot say. */}}
{{- define "hubferry.checked" -}}
{{- $workers := .Values.workers -}}
{{- $config := .Values.config -}}
{{- if not (and $config.kafka $config.destinations) -}}
{{- fail "config: `kafka` and `destinations` are missing: give hubferry's configuration under `config`" -}}
{{- end -}}
{{- range $key := list "admin" "drain" -}}
{{- if hasKey $config $key -}}
{{- fail (printf "config.%s is the chart's: use `admin` or `workers.terminationGracePeriodSeconds`" $key) -}}
{{- end -}}
{{- end -}}
{{- if hasKey (default dict $config.limiter) "max_workers" -}}
{{- fail "config.limiter.max_workers is derived from workers.max and workers.maxSurge" -}}
{{- end -}}
{{- if gt (int $workers.min) (int $workers.max) -}}
{{- fail (printf "workers.min (%d) is above workers.max (%d)" (int $workers.min) (int $workers.max)) -}}
{{- end -}}
{{- if and (gt (int $workers.max) 1) (not $config.redis) -}}
{{- fail "config.redis is missing: several workers share the limit in Redis" -}}
{{- end -}}
{{- $drain := mul (int (include "hubferry.drainSeconds" .)) 1000 -}}
{{- range $destination := $config.destinations -}}
{{- $timeouts := dig "hubspot" "timeouts" dict $destination -}}
{{- range $key, $usual := dict "single" "10s" "batch" "30s" -}}
{{- $timeout := int (include "hubferry.milliseconds" (get $timeouts $key | default $usual)) -}}
{{- if ge $timeout (int $drain) -}}
{{- fail (printf "destination %s: hubspot.timeouts.%s does not fit into the drain time of %d s (workers.terminationGracePeriodSeconds less 5 s)" $destination.name $key (div $drain 1000)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq $workers.kind "StatefulSet" -}}
{{- if eq (default "classic" $config.kafka.group_protocol) "consumer" -}}
{{- fail "workers.kind StatefulSet means static members, which do not go with kafka.group_protocol: consumer" -}}
{{- end -}}
{{- if hasKey (default dict $config.kafka.properties) "group.instance.id" -}}
{{- fail "config.kafka.properties: group.instance.id is the pod's name; take it out" -}}
{{- end -}}
{{- if ne .Values.autoscaling.kind "none" -}}
{{- fail "autoscaling needs workers.kind Deployment: static members leave the group only by timeout" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- fail "metrics: serviceMonitor and podMonitor together count everything twice" -}}
{{- end -}}
{{- if and .Values.autoscaling.scaleToZero (ne .Values.autoscaling.kind "keda") -}}
{{- fail "autoscaling.scaleToZero needs autoscaling.kind keda" -}}
{{- end -}}
{{- end -}}

{{/* hubferry's configuration with what the chart derives. */}}
{{- define "hubferry.config" -}}
{{- include "hubferry.checked" . -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "admin" (dict "listen" (printf "0.0.0.0:%d" (int .Values.admin.port)) "token_file" (printf "/run/secrets/hubferry/admin/%s" .Values.admin.tokenSecret.key)) -}}
{{- $_ := set $config "drain" (printf "%ss" (include "hubferry.drainSeconds" .)) -}}
{{- $limiter := default dict $config.limiter -}}
{{- $_ := set $limiter "max_workers" (int (include "hubferry.maxWorkers" .)) -}}
{{- $_ := set $config "limiter" $limiter -}}
{{- if eq .Values.workers.kind "StatefulSet" -}}
{{- $properties := default dict $config.kafka.properties -}}
{{- $_ := set $properties "group.instance.id" "${POD_NAME}" -}}
{{- $_ := set $config.kafka "properties" $properties -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Environment, mounts and volumes of everything that runs hubferry. */}}
{{- define "hubferry.env" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: HUBFERRY_LOG
  value: {{ .Values.workers.logFilter | quote }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "hubferry.mounts" -}}
- { name: config, mountPath: /etc/hubferry, readOnly: true }
- { name: admin, mountPath: /run/secrets/hubferry/admin, readOnly: true }
- { name: tmp, mountPath: /tmp }
{{- range $name, $_ := .Values.secrets }}
- { name: {{ printf "secret-%s" $name }}, mountPath: {{ printf "/run/secrets/hubferry/%s" $name }}, readOnly: true }
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "hubferry.volumes" -}}
- name: config
  configMap: { name: {{ include "hubferry.fullname" . }} }
- name: admin
  secret:
    secretName: {{ .Values.admin.tokenSecret.name }}
    defaultMode: 0440
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
{{- range $name, $secret := .Values.secrets }}
- name: secret-{{ $name }}
  secret:
    secretName: {{ $secret.secretName }}
    defaultMode: 0440
    {{- with $secret.items }}
    items: {{- toYaml . | nindent 6 }}
    {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The pod of a worker, in either kind of workload. */}}
{{- define "hubferry.pod" -}}
metadata:
  labels:
    {{- include "hubferry.selector" . | nindent 4 }}
    app.kubernetes.io/component: worker
    {{- with .Values.workers.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- if .Values.workers.rollOnConfigChange }}
    checksum/config: {{ include "hubferry.config" . | sha256sum }}
    {{- end }}
    kubectl.kubernetes.io/default-container: worker
    {{- with .Values.workers.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "hubferry.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.workers.terminationGracePeriodSeconds }}
  securityContext: {{- toYaml .Values.workers.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.workers.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.workers.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.workers.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.workers.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.workers.topologySpread }}
  topologySpreadConstraints:
    {{- range . }}
    - maxSkew: {{ default 1 .maxSkew }}
      topologyKey: {{ .topologyKey }}
      whenUnsatisfiable: {{ .whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "hubferry.selector" $ | nindent 10 }}
          app.kubernetes.io/component: worker
    {{- end }}
  {{- end }}
  containers:
    - name: worker
      image: {{ include "hubferry.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [run, --config, /etc/hubferry/hubferry.yaml]
      env: {{- include "hubferry.env" . | nindent 8 }}
      ports:
        - { name: admin, containerPort: {{ .Values.admin.port }}, protocol: TCP }
      # Only the process itself: HubSpot, Redis or Kafka that are away are no reason to restart a worker.
      startupProbe:
        httpGet: { path: /healthz, port: admin }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /healthz, port: admin }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: admin }
        periodSeconds: 5
        timeoutSeconds: 3
      resources: {{- toYaml .Values.workers.resources | nindent 8 }}
      securityContext: {{- toYaml .Values.workers.securityContext | nindent 8 }}
      volumeMounts: {{- include "hubferry.mounts" . | nindent 8 }}
  volumes: {{- include "hubferry.volumes" . | nindent 4 }}
{{- end -}}

{{/* The pod of a Job that runs hubferry once: a dict of `root`, `component` and `args`. */}}
{{- define "hubferry.jobPod" -}}
{{- $root := .root -}}
metadata:
  labels:
    {{- include "hubferry.selector" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  restartPolicy: Never
  serviceAccountName: {{ include "hubferry.serviceAccount" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext: {{- toYaml $root.Values.workers.podSecurityContext | nindent 4 }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "hubferry.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{- toYaml (concat .args (list "--config" "/etc/hubferry/hubferry.yaml")) | nindent 8 }}
      env: {{- include "hubferry.env" $root | nindent 8 }}
      resources: {{- toYaml $root.Values.workers.resources | nindent 8 }}
      securityContext: {{- toYaml $root.Values.workers.securityContext | nindent 8 }}
      volumeMounts: {{- include "hubferry.mounts" $root | nindent 8 }}
  volumes: {{- include "hubferry.volumes" $root | nindent 4 }}
{{- end -}}
