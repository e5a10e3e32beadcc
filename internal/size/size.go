// Package size measures runs of records before batches are made, each record once.
//
// Sizes are exact bytes of Lambda's JSON, and add up. An event of at least one partition, none of them empty, has
//
//	Envelope + the Partition of each partition + the total of each Run
//
// bytes. So a batch is filled up to Lambda's payload limit by adding the sizes of its records.
package size

import (
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/jsonlen"
)

// Envelope returns the size of an event without its records and partitions: the part that is the same for every batch of
// a mapping.
func Envelope(e event.KafkaEvent) int {
	e.Records = nil
	return e.Size() - 1 // each partition counts a comma, and the last one has none
}

// Partition returns what a partition adds to an event in addition to its records.
func Partition(topic string, partition int32) int {
	with := event.KafkaEvent{Records: map[string][]event.KafkaRecord{event.PartitionKey(topic, partition): nil}}
	without := event.KafkaEvent{}
	return with.Size() - without.Size()
}

// Record returns what a record adds to an event: its own size and a comma.
func Record(r *event.KafkaRecord) int { return r.Size() + 1 }

// Run measures records of one partition, in offset order. total is the sum of Record over all, largest the largest of
// them. What the records have in common is measured only once.
func Run(records []event.KafkaRecord) (total, largest int) {
	if len(records) == 0 {
		return 0, 0
	}
	first, last := &records[0], &records[len(records)-1]
	offsetLen := jsonlen.LongInt(first.Offset)
	if !plain(first) || jsonlen.LongInt(last.Offset) != offsetLen {
		return each(records)
	}
	fixed := Record(first) - own(first)
	for i := range records {
		r := &records[i]
		if !plain(r) {
			return each(records)
		}
		n := fixed + own(r)
		total += n
		largest = max(largest, n)
	}
	return total, largest
}

// plain reports whether a record can differ from its neighbors only in offset, timestamp, key and value.
func plain(r *event.KafkaRecord) bool {
	return r.TimestampType == event.CreateTime && r.Headers == nil && r.KeySchemaMetadata == nil && r.ValueSchemaMetadata == nil
}

// own returns the part of a plain record's size that its neighbors do not share if their offsets have the same length.
func own(r *event.KafkaRecord) int {
	const key, value = len(`,"key":""`), len(`,"value":""`)
	n := jsonlen.Millis(r.Timestamp)
	if r.Key != nil {
		n += key + jsonlen.Base64(len(r.Key))
	}
	if r.Value != nil {
		n += value + jsonlen.Base64(len(r.Value))
	}
	return n
}

// each is Run for records that differ in more than that.
func each(records []event.KafkaRecord) (total, largest int) {
	for i := range records {
		n := Record(&records[i])
		total += n
		largest = max(largest, n)
	}
	return total, largest
}
