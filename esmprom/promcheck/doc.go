// Package promcheck tests esmprom's alert rules and dashboard with Prometheus and Grafana's own packages. It is a module of its own,
// so that users of esmprom do not get these among their modules.
package promcheck
