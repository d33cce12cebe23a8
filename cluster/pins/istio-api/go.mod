module penstock.dev/cluster/pins/istio-api

go 1.24.0

require istio.io/api v1.32.0
