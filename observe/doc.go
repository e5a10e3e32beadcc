// Package observe has what a mapping shows of itself: Hooks and the Infos that they are given, Status with its conditions and
// partitions, Metrics, Histograms, and the errors with which a run ends.
//
// It links no Kafka client, so an exporter or a console can import it alone.
package observe
