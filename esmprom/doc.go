// Package esmprom exports mappings to Prometheus: a prometheus.Collector that reads Status and Histograms of a Runner.
//
//	registry.MustRegister(esmprom.New(runner))
//
// It reads them at each scrape and costs nothing between scrapes. The series of a mapping have the labels
// function_name, consumer_group and uuid. Their number does not grow with the partitions, except with WithPartitions.
// No label contains a secret, a key or the text of an error.
//
// The directory contains a dashboard for Grafana (dashboard.json) and alert rules (rules.yaml) for these series.
package esmprom
