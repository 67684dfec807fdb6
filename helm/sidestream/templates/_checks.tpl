{{/* What can't work together is refused, with what to do about it. What a single
     value may be is in values.schema.json. */}}
{{- define "sidestream.checks" -}}
{{- include "sidestream.checkConfig" . -}}
{{- if eq .Values.mode "sidecar" -}}
  {{- include "sidestream.checkSidecar" . -}}
{{- else -}}
  {{- include "sidestream.checkGateway" . -}}
{{- end -}}
{{- include "sidestream.checkLabels" . -}}
{{- if eq (int .Values.ports.http) (int .Values.ports.admin) -}}
  {{- fail "ports.http and ports.admin have to differ" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
  {{- fail "metrics.serviceMonitor and metrics.podMonitor would each collect everything; enable one" -}}
{{- end -}}
{{- end -}}

{{/* Labels that the chart itself writes can't be given. */}}
{{- define "sidestream.checkLabels" -}}
{{- $own := set (include "sidestream.ownLabels" . | fromYaml) "sidestream/service" "" -}}
{{- $metrics := .Values.metrics -}}
{{- range $name, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels "service.labels" .Values.service.labels "metrics.serviceMonitor.labels" $metrics.serviceMonitor.labels "metrics.podMonitor.labels" $metrics.podMonitor.labels "metrics.prometheusRule.labels" $metrics.prometheusRule.labels "metrics.dashboard.labels" $metrics.dashboard.labels -}}
  {{- range $key, $value := $labels -}}
    {{- if hasKey $own $key -}}
      {{- fail (printf "%s: %s is a label of the chart's own; leave it out (nameOverride changes app.kubernetes.io/name)" $name $key) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "sidestream.checkConfig" -}}
{{- $config := .Values.config -}}
{{- if and $config.table $config.existingConfigMap -}}
  {{- fail "config.table and config.existingConfigMap are both set; the routing table is in one of them" -}}
{{- end -}}
{{- if $config.existingConfigMap -}}
  {{- if or .Values.tls.existingSecret .Values.proxyProtocol -}}
    {{- fail "tls and proxyProtocol are written into config.table; with config.existingConfigMap say it in listen of the table there, and mount the certificate by secrets" -}}
  {{- end -}}
{{- else if not $config.table -}}
  {{- fail "there is no routing table; set config.table (a mapping, or --set-file config.table=routes.yaml) or config.existingConfigMap" -}}
{{- else -}}
  {{- $table := include "sidestream.known" . | fromYaml -}}
  {{- $listens := not (empty $table.listen) -}}
  {{- if and $listens (or .Values.tls.existingSecret .Values.proxyProtocol) -}}
    {{- fail "config.table has a listen, and tls or proxyProtocol is set; leave listen out, or say it there" -}}
  {{- end -}}
  {{- if $listens -}}
    {{- include "sidestream.checkListen" (dict "ctx" . "listen" $table.listen) -}}
  {{- end -}}
  {{- if kindIs "map" $config.table -}}
    {{- include "sidestream.checkWords" (dict "of" $table "at" "" "name" "") -}}
  {{- end -}}
  {{- include "sidestream.checkHistory" (dict "ctx" . "table" $table) -}}
{{- end -}}
{{- end -}}

{{/* A listen of the table's own has to be where the pod is reached. It takes the
     context as ctx, and the listen. What comes from the environment isn't known
     here. */}}
{{- define "sidestream.checkListen" -}}
{{- $port := int .ctx.Values.ports.http -}}
{{- $listen := .listen -}}
{{- if not (kindIs "slice" $listen) -}}
  {{- $listen = list $listen -}}
{{- end -}}
{{- $reached := false -}}
{{- range $listen -}}
  {{- $address := toString . -}}
  {{- if kindIs "map" . -}}
    {{- $address = toString .address -}}
  {{- end -}}
  {{- $inside := regexMatch `^(unix:|localhost:|127\.|\[::1\]:)` $address -}}
  {{- if or (contains "${" $address) (and (hasSuffix (printf ":%d" $port) $address) (not $inside)) -}}
    {{- $reached = true -}}
  {{- end -}}
{{- end -}}
{{- if not $reached -}}
  {{- fail (printf "config.table: listen has no address with port %d (ports.http) that is reached from outside the pod; add \":%d\", leave listen out, or change ports.http" $port $port) -}}
{{- end -}}
{{- end -}}

{{/* Helm reads values as YAML 1.1, where off is false, and would write that. It
     takes a part of the table as of, where it is as at, and its key as name. */}}
{{- define "sidestream.checkWords" -}}
{{- $at := .at -}}
{{- $name := .name -}}
{{- if kindIs "map" .of -}}
  {{- range $key, $value := .of -}}
    {{- $path := trimPrefix "." (printf "%s.%s" $at $key) -}}
    {{- if kindIs "bool" $value -}}
      {{- if or (eq $path "admin") (and (eq $key "proxy") (has $name (list "poll" "sse" "oauth2" "schema_registry"))) (and (eq $key "mode") (eq $name "cloudevents")) -}}
        {{- fail (printf "config.table: %s is %t, since off without quotes is false in values; write \"off\", or give the table by --set-file" $path $value) -}}
      {{- end -}}
    {{- end -}}
    {{- include "sidestream.checkWords" (dict "of" $value "at" $path "name" $key) -}}
  {{- end -}}
{{- else if kindIs "slice" .of -}}
  {{- range $i, $value := .of -}}
    {{- include "sidestream.checkWords" (dict "of" $value "at" (printf "%s[%d]" $at $i) "name" $name) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* It takes the context as ctx, and the table. */}}
{{- define "sidestream.checkHistory" -}}
{{- $values := .ctx.Values -}}
{{- $urls := dig "history" "nats" "urls" "" .table -}}
{{- $all := dig "defaults" "history" "durable" false .table -}}
{{- $durable := list -}}
{{- $fleeting := list -}}
{{- range .table.routes | default list -}}
  {{- if kindIs "map" . -}}
    {{- $kept := dig "history" "durable" $all . -}}
    {{- if $kept -}}
      {{- $durable = append $durable .path -}}
    {{- else if hasKey . "webhook" -}}
      {{- $fleeting = append $fleeting .path -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if and $durable (not $urls) (not $values.persistence.enabled) (not $values.extraVolumeMounts) -}}
  {{- fail (printf "config.table: the history of %s is durable, but there is nowhere to keep it; set history.nats.urls in the table, or persistence.enabled for one pod" (first $durable)) -}}
{{- end -}}
{{- if and $urls $values.persistence.enabled -}}
  {{- fail "persistence is for the embedded NATS server, which isn't used since config.table has history.nats.urls" -}}
{{- end -}}
{{- $dir := dig "history" "nats" "embedded" "dir" "" .table | toString -}}
{{- if and $values.persistence.enabled (hasPrefix "/" $dir) (not (hasPrefix (printf "%s/" (include "sidestream.dataDir" .ctx)) $dir)) -}}
  {{- fail (printf "config.table: history.nats.embedded.dir is %s, but the volume of persistence is at %s; leave it out" $dir (include "sidestream.dataDir" .ctx)) -}}
{{- end -}}
{{- if and $fleeting (eq $values.mode "gateway") (or $values.autoscaling.enabled (gt (int $values.replicaCount) 1)) -}}
  {{- fail (printf "config.table: a webhook for %s reaches one pod, and the clients of the others would never see it; set history: {durable: true} of the route and history.nats.urls, or replicaCount 1" (first $fleeting)) -}}
{{- end -}}
{{- end -}}

{{- define "sidestream.checkSidecar" -}}
{{- range $name, $on := dict "ingress.enabled" .Values.ingress.enabled "httpRoute.enabled" .Values.httpRoute.enabled "autoscaling.enabled" .Values.autoscaling.enabled "networkPolicy.enabled" .Values.networkPolicy.enabled "persistence.enabled" .Values.persistence.enabled "metrics.serviceMonitor.enabled" .Values.metrics.serviceMonitor.enabled -}}
  {{- if $on -}}
    {{- fail (printf "%s is for mode gateway; with mode sidecar the Deployment and what belongs to it are the application's" $name) -}}
  {{- end -}}
{{- end -}}
{{- if and .Values.metrics.podMonitor.enabled (not .Values.metrics.podMonitor.selector) -}}
  {{- fail "metrics.podMonitor.selector: with mode sidecar these have to be labels of the application's pods" -}}
{{- end -}}
{{- end -}}

{{- define "sidestream.checkGateway" -}}
{{- $values := .Values -}}
{{- if $values.persistence.enabled -}}
  {{- if or $values.autoscaling.enabled (gt (int $values.replicaCount) 1) -}}
    {{- fail "persistence.enabled: one pod at a time has the volume; set replicaCount 1 and autoscaling.enabled false, or history.nats.urls in config.table for more" -}}
  {{- end -}}
  {{- if and $values.strategy (ne "Recreate" (dig "type" "RollingUpdate" $values.strategy)) -}}
    {{- fail "strategy.type RollingUpdate, which holds if strategy names none: a new pod would wait for the volume that the old one has until it is ready; with persistence.enabled leave strategy out, which is Recreate" -}}
  {{- end -}}
{{- end -}}
{{- $pdb := $values.podDisruptionBudget -}}
{{- if $pdb.enabled -}}
  {{- if not (or (kindIs "invalid" $pdb.minAvailable) (kindIs "invalid" $pdb.maxUnavailable)) -}}
    {{- fail "podDisruptionBudget has minAvailable and maxUnavailable; Kubernetes takes one of them" -}}
  {{- end -}}
  {{- $replicas := ternary (int $values.autoscaling.minReplicas) (int $values.replicaCount) $values.autoscaling.enabled -}}
  {{- if and (not (kindIs "invalid" $pdb.minAvailable)) (not (kindIs "string" $pdb.minAvailable)) (ge (int $pdb.minAvailable) $replicas) -}}
    {{- fail (printf "podDisruptionBudget.minAvailable: %d of %d pods could never be evicted, so that no node could be drained" (int $pdb.minAvailable) $replicas) -}}
  {{- end -}}
  {{- if eq "100%" (toString $pdb.minAvailable) -}}
    {{- fail "podDisruptionBudget.minAvailable: with 100% no pod could ever be evicted, so that no node could be drained" -}}
  {{- end -}}
  {{- if has (toString $pdb.maxUnavailable) (list "0" "0%") -}}
    {{- fail "podDisruptionBudget.maxUnavailable: with 0 no pod could ever be evicted, so that no node could be drained" -}}
  {{- end -}}
{{- end -}}
{{- if $values.autoscaling.enabled -}}
  {{- if gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas) -}}
    {{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
  {{- end -}}
  {{- if and (eq $values.autoscaling.metric "cpu") (not (dig "requests" "cpu" "" $values.resources)) -}}
    {{- fail "autoscaling.metric cpu is a share of resources.requests.cpu, which isn't set" -}}
  {{- end -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
  {{- fail "httpRoute.parentRefs: name the Gateway, such as [{name: public, namespace: gateways}]" -}}
{{- end -}}
{{- if and $values.test.enabled $values.test.path $values.tls.existingSecret -}}
  {{- fail "test.path: the test pod doesn't know who signed the certificate of tls.existingSecret; leave it out" -}}
{{- end -}}
{{- if and $values.test.enabled $values.test.path $values.proxyProtocol -}}
  {{- fail "test.path: the test pod sends no PROXY header, which those of proxyProtocol have to; leave it out" -}}
{{- end -}}
{{- include "sidestream.checkService" . -}}
{{- $controller := $values.ingress.controller | default $values.ingress.className -}}
{{- if and $values.networkPolicy.enabled $values.ingress.enabled (eq $controller "alb") (not $values.networkPolicy.adminFrom) -}}
  {{- fail (printf "networkPolicy.adminFrom: the load balancer of the ingress checks the health of pods at port %d; name where it is, such as [{ipBlock: {cidr: 10.0.0.0/16}}]" (int $values.ports.admin)) -}}
{{- end -}}
{{- end -}}

{{- define "sidestream.checkService" -}}
{{- $service := .Values.service -}}
{{- if eq $service.type "ClusterIP" -}}
  {{- range $name := list "externalTrafficPolicy" "nodePort" -}}
    {{- if index $service $name -}}
      {{- fail (printf "service.%s is for the types NodePort and LoadBalancer, and service.type is ClusterIP" $name) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if ne $service.type "LoadBalancer" -}}
  {{- range $name := list "loadBalancerClass" "loadBalancerSourceRanges" -}}
    {{- if index $service $name -}}
      {{- fail (printf "service.%s is for the type LoadBalancer, and service.type is %s" $name $service.type) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $table := .Values.config.table -}}
{{- $own := or .Values.config.existingConfigMap (and (kindIs "map" $table) (hasKey $table "trusted_proxies")) -}}
{{- $inside := or (eq $service.type "ClusterIP") (eq (toString $service.externalTrafficPolicy) "Local") -}}
{{- if not (or $own $inside .Values.proxyProtocol (not (has "private" .Values.trustedProxies))) -}}
  {{- fail (printf "trustedProxies: with service.type %s whoever comes from outside may have the private address of a node, and could claim any other in X-Forwarded-For; set service.externalTrafficPolicy to Local, or name in trustedProxies what is in front" $service.type) -}}
{{- end -}}
{{- with $service.trafficDistribution -}}
  {{- $since := ternary "1.31" "1.34" (eq . "PreferClose") -}}
  {{- if not (semverCompare (printf ">=%s.0-0" $since) $.Capabilities.KubeVersion.Version) -}}
    {{- fail (printf "service.trafficDistribution: Kubernetes has %s from %s on, and this is %s" . $since $.Capabilities.KubeVersion.Version) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
