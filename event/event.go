// Package event defines the event that AWS Lambda passes to a function for self-managed Apache Kafka, as Go types and,
// byte for byte, as Lambda's JSON.
//
// The types are not in package esm, so that the Kafka drivers can fill the records that handlers receive. Package esm
// re-exports them as esm.KafkaEvent, esm.KafkaRecord and so on.
package event

import (
	"strconv"
	"time"
)

// SourceSelfManagedKafka is the eventSource of every event of a self-managed Kafka mapping.
const SourceSelfManagedKafka = "SelfManagedKafka"

// KafkaEvent is one batch of records, as Lambda's Invoke payload for self-managed Apache Kafka.
//
// A handler owns the event that it receives: the map, the slices of records and of headers, and every field in them. It
// may sort, filter, clear and append to them, keep them for as long as it likes and pass them on. It may also read the
// bytes of keys, values and header values after it has returned, but must not overwrite them, because a retry gets the
// same bytes. Appending to them makes a copy.
type KafkaEvent struct {
	// EventSource is "SelfManagedKafka".
	EventSource string
	// EventSourceARN is empty for self-managed Kafka, and then omitted from the JSON.
	EventSourceARN string
	// BootstrapServers is the mapping's KAFKA_BOOTSTRAP_SERVERS, comma-joined, as Lambda prints it.
	BootstrapServers string
	// Records maps "topic-partition" to the records of that partition, in offset order.
	Records map[string][]KafkaRecord
}

// KafkaRecord is one Kafka record.
type KafkaRecord struct {
	Topic     string
	Partition int32
	// TimestampType tells who set Timestamp.
	TimestampType TimestampType
	Offset        int64
	// Timestamp is in milliseconds since the Unix epoch; -1 if the record has none.
	Timestamp int64
	// Key is nil for a record without a key; an empty key is empty, not nil.
	Key []byte
	// Value is nil for a tombstone; an empty value is empty, not nil.
	Value []byte
	// Headers are in the record's order; a name may occur more than once.
	Headers []Header
	// KeySchemaMetadata and ValueSchemaMetadata are set only with a schema registry.
	KeySchemaMetadata, ValueSchemaMetadata *SchemaMetadata
}

// Header is one record header. A nil Value is Kafka's null header value; in JSON it is [], like an empty one.
type Header struct {
	Key   string
	Value []byte
}

// SchemaMetadata names the schema with which a key or value was written.
type SchemaMetadata struct {
	// DataFormat is AVRO, JSON or PROTOBUF.
	DataFormat string
	SchemaID   string
}

// TimestampType is the meaning of a record's timestamp.
type TimestampType uint8

const (
	// CreateTime is the time set by the producer.
	CreateTime TimestampType = iota
	// LogAppendTime is the time at which the broker wrote the record.
	LogAppendTime
	// NoTimestampType marks a record without a timestamp (message format 0).
	NoTimestampType
)

// String returns Lambda's name: CREATE_TIME, LOG_APPEND_TIME or NO_TIMESTAMP_TYPE.
func (t TimestampType) String() string {
	switch t {
	case CreateTime:
		return "CREATE_TIME"
	case LogAppendTime:
		return "LOG_APPEND_TIME"
	case NoTimestampType:
		return "NO_TIMESTAMP_TYPE"
	}
	return "TimestampType(" + strconv.Itoa(int(t)) + ")"
}

// Time returns the record's timestamp, or the zero Time if it has none.
func (r *KafkaRecord) Time() time.Time {
	if r.Timestamp < 0 || r.TimestampType == NoTimestampType {
		return time.Time{}
	}
	return time.UnixMilli(r.Timestamp)
}

// PartitionKey returns the key of a partition in KafkaEvent.Records: "topic-partition".
func PartitionKey(topic string, partition int32) string {
	return topic + "-" + strconv.FormatInt(int64(partition), 10)
}

// Len returns the number of records of the event.
func (e *KafkaEvent) Len() int {
	n := 0
	for _, records := range e.Records {
		n += len(records)
	}
	return n
}
