{{- define "breachwatch.name" -}}
{{- if contains "breachwatch" .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- else -}}{{ printf "%s-breachwatch" .Release.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "breachwatch.labels" -}}
app.kubernetes.io/name: breachwatch
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "breachwatch.selector" -}}
app.kubernetes.io/name: breachwatch
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "breachwatch.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "breachwatch.env" -}}
{{- range $name, $value := omit .Values.settings "allowed_hosts" }}
- name: BREACHWATCH_{{ upper $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- $variables := dict "token" "TOKEN_FILE" "ca.crt" "SSL_CAFILE" "tls.crt" "SSL_CERTFILE" "tls.key" "SSL_KEYFILE" "ssl_key_password" "SSL_KEY_PASSWORD_FILE" "sasl_password" "SASL_PASSWORD_FILE" "sasl_oauth_client_secret" "SASL_OAUTH_CLIENT_SECRET_FILE" "sasl_oauth_token" "SASL_OAUTH_TOKEN_FILE" "oauth-ca.crt" "SASL_OAUTH_CAFILE" }}
{{- range .Values.secret.keys }}
- name: BREACHWATCH_{{ required (printf "secret.keys: %s is not one of %s" . (keys $variables | sortAlpha | join ", ")) (get $variables .) }}
  value: /etc/breachwatch/secret/{{ . }}
{{- end }}
{{- end -}}

{{- define "breachwatch.hosts" -}}
{{- $name := include "breachwatch.name" . -}}
{{- $names := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) -}}
{{- if .Values.ingress.enabled -}}{{- $names = append $names .Values.ingress.host -}}{{- end -}}
{{- with .Values.settings.allowed_hosts -}}{{- $names = append $names . -}}{{- end -}}
{{ join "," $names }}
{{- end -}}

{{- define "breachwatch.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "breachwatch.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "breachwatch.mounts" -}}
- {name: work, mountPath: /var/lib/breachwatch}
- {name: tmp, mountPath: /tmp}
- {name: policies, mountPath: /etc/breachwatch/policies, readOnly: true}
{{- if .Values.secret.name }}
- {name: secret, mountPath: /etc/breachwatch/secret, readOnly: true}
{{- end }}
{{- end -}}

{{- define "breachwatch.volumes" -}}
- name: work
  emptyDir: {}
- name: tmp
  emptyDir: {}
- name: policies
  configMap: {name: {{ include "breachwatch.name" . }}-policies}
{{- if .Values.secret.name }}
- name: secret
  secret: {secretName: {{ .Values.secret.name }}, defaultMode: 0440}
{{- end }}
{{- end -}}
