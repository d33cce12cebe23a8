{{/* What both policies for actions speak of. CEL: `is` and `was` are the annotations after and before the request. */}}

{{- define "penstock.actionsMatch" -}}
resourceRules:
  - apiGroups: [penstock.dev]
    apiVersions: ["*"]
    operations: [CREATE, UPDATE]
    resources: [modeldeployments]
{{- end }}

{{/* A binding that looks where the operator looks. */}}
{{- define "penstock.actionsWhere" -}}
{{- with .Values.watch.namespace }}
matchResources:
  namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ . }}}
{{- end }}
{{- end }}

{{- define "penstock.actionsVariables" -}}
- name: verbs
  expression: >-
    {'penstock.dev/promote': 'promote', 'penstock.dev/promote-full': 'promote', 'penstock.dev/skip': 'promote',
    'penstock.dev/abort': 'abort', 'penstock.dev/retry': 'retry', 'penstock.dev/approve': 'approve',
    'penstock.dev/undo': 'undo', 'penstock.dev/pause': 'pause'}
# Server-side apply leaves null where it took the last annotation away.
- name: is
  expression: >-
    has(object.metadata.annotations) && dyn(object.metadata.annotations) != null ? object.metadata.annotations : {}
- name: was
  expression: >-
    oldObject != null && has(oldObject.metadata.annotations) && dyn(oldObject.metadata.annotations) != null
    ? oldObject.metadata.annotations : {}
# Only of a pause is taking the annotation away an action of its own: it resumes.
- name: asked
  expression: >-
    variables.verbs.filter(k, variables.is[?k] != variables.was[?k] && (k in variables.is || k == 'penstock.dev/pause'))
- name: otherName
  expression: "variables.is[?'penstock.dev/requested-by'] != variables.was[?'penstock.dev/requested-by']"
- name: otherGroups
  expression: "variables.is[?'penstock.dev/requested-groups'] != variables.was[?'penstock.dev/requested-groups']"
# The same step is approved by one more person: the annotation for it stands already, only the name is a new one.
- name: joins
  expression: >-
    size(variables.asked) == 0 && 'penstock.dev/approve' in variables.is && 'penstock.dev/requested-by' in variables.is
    && (variables.otherName || variables.otherGroups && variables.is['penstock.dev/requested-by'] == request.userInfo.username)
- name: needed
  expression: "variables.joins ? ['penstock.dev/approve'] : variables.asked"
# The name that will stand: what was typed, or who asks.
- name: by
  expression: >-
    size(variables.needed) > 0 && (!variables.otherName || !('penstock.dev/requested-by' in variables.is))
    ? request.userInfo.username : variables.is[?'penstock.dev/requested-by'].orValue('')
# What the operator has taken up, and will not take up again while the annotation stands.
- name: acted
  expression: >-
    oldObject != null && has(oldObject.status) && has(oldObject.status.acted)
    ? oldObject.status.acted.map(a, 'penstock.dev/' + a.action + '=' + a.value) : []
# Under a new name all that stands would be that person's: so it must have been taken up. An approval must be gone even
# then, or the new name would be counted as one more.
- name: unsettled
  expression: >-
    variables.verbs.filter(k, variables.by != variables.was[?'penstock.dev/requested-by'].orValue('') && k in variables.is
    && !(k in variables.needed) && (k == 'penstock.dev/approve' || !(k + '=' + variables.is[k] in variables.acted)))
{{- end }}
