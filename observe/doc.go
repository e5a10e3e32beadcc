// Package observe holds what can be seen of a mapping: the Hooks and what they are told, Status with its conditions and
// partitions, Metrics, and the errors with which a run ends.
//
// It links no Kafka client: an exporter of metrics or traces, and a console, need nothing else.
package observe
