// Package observe defines the types for observing a mapping: Hooks and their Infos, Status with its conditions and
// partitions, Metrics, Histograms, and the errors that Run returns.
//
// It links no Kafka client, so an exporter or a console can import it alone.
package observe
