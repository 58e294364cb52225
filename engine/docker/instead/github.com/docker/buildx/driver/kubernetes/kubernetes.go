// Package kubernetes stands for buildx's builders in a Kubernetes cluster, which bring Kubernetes' client along: half of
// this plugin's build. A builder of that driver is then one of no known driver.
package kubernetes
