// Package esmprom shows mappings to Prometheus: a prometheus.Collector over Status and Histograms of a Runner.
//
//	registry.MustRegister(esmprom.New(runner))
//
// It reads them when it is scraped; between scrapes it costs nothing, and the path of a record knows nothing of it.
// The series of a mapping have the labels function_name, consumer_group and uuid, and are as many for ten partitions as
// for ten thousand: those of partitions come with WithPartitions alone. No label has a secret, a key or an error's text.
//
// The directory has a dashboard for Grafana (dashboard.json) and alert rules (rules.yaml) over these series.
package esmprom
