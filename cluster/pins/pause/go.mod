module penstock.dev/cluster/pins/pause

go 1.26.0
