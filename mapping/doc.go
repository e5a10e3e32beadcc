// Package mapping holds Mapping, the description of an event source mapping for self-managed Apache Kafka under AWS's
// parameter names: its fields, its JSON, its defaults, its validation, and what an update may change.
//
// It is pure data and does no I/O. It links no Kafka client, so that a store, an API or a validator can use it alone.
package mapping
