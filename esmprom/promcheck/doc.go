// Package promcheck has the tests of esmprom's alert rules and dashboard with Prometheus itself. It is a module of its own, so
// that nobody who uses esmprom has Prometheus among their modules.
package promcheck
