// Package promcheck tests esmprom's alert rules and dashboard with Prometheus's and Grafana's own packages. It is a
// separate module, so that users of esmprom do not depend on these.
package promcheck
