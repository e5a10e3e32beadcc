package event

import (
	"slices"
	"strconv"
)

// AppendJSON appends the event as Lambda's JSON, without white space, and returns the extended buffer. Partitions are
// in the byte order of their keys, so equal events give equal bytes. AppendJSON grows dst at most once, by Size.
//
// In detail: eventSourceArn is omitted if empty, as it is for self-managed Kafka; a nil key or value is omitted, an
// empty one is ""; headers are an array of objects with one key each, [] if there are none; header bytes are signed,
// like Java's; a nil header value is [], because consumers in other languages (Powertools, Rust's types) reject null
// there; schema metadata is present only if set. In text that is not UTF-8, each wrong byte becomes U+FFFD.
func (e KafkaEvent) AppendJSON(dst []byte) []byte {
	dst = slices.Grow(dst, e.Size())
	dst = append(dst, openEventSource...)
	dst = appendQuoted(dst, e.EventSource)
	if e.EventSourceARN != "" {
		dst = append(dst, openEventSourceARN...)
		dst = appendQuoted(dst, e.EventSourceARN)
	}
	dst = append(dst, openServers...)
	dst = appendQuoted(dst, e.BootstrapServers)
	dst = append(dst, openRecords...)
	var room [16]string // most events hold fewer partitions: no allocation for their keys
	keys := room[:0]
	for key := range e.Records {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, key)
		dst = append(dst, ':', '[')
		dst = appendRecords(dst, e.Records[key])
		dst = append(dst, ']')
	}
	return append(dst, closeEvent...)
}

// appendRecords appends the records of one partition, separated by commas. dst has room for them.
func appendRecords(dst []byte, records []KafkaRecord) []byte {
	var head span // of the previous record
	for i := range records {
		r := &records[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		start := len(dst)
		if i > 0 && r.Partition == records[i-1].Partition && r.Topic == records[i-1].Topic {
			dst = append(dst, dst[head.start:head.end]...)
		} else {
			dst = r.appendHead(dst)
		}
		head = span{start, len(dst)}
		dst = r.appendRest(dst)
	}
	return dst
}

// A span is a range of a buffer.
type span struct{ start, end int }

// AppendJSON appends the record as Lambda's JSON: one element of an event's records. It grows dst at most once.
func (r *KafkaRecord) AppendJSON(dst []byte) []byte {
	dst = slices.Grow(dst, r.Size())
	return r.appendRest(r.appendHead(dst))
}

// appendHead appends what the records of a partition have in common.
func (r *KafkaRecord) appendHead(dst []byte) []byte {
	dst = append(dst, openTopic...)
	dst = appendQuoted(dst, r.Topic)
	dst = append(dst, openPartition...)
	dst = strconv.AppendInt(dst, int64(r.Partition), 10)
	return append(dst, openOffset...)
}

func (r *KafkaRecord) appendRest(dst []byte) []byte {
	dst = strconv.AppendInt(dst, r.Offset, 10)
	dst = append(dst, openTimestamp...)
	dst = strconv.AppendInt(dst, r.Timestamp, 10)
	dst = append(dst, openType...)
	dst = append(dst, r.TimestampType.String()...)
	dst = append(dst, '"')
	if r.Key != nil {
		dst = append(dst, openKey...)
		dst = appendBase64(dst, r.Key)
		dst = append(dst, '"')
	}
	if r.Value != nil {
		dst = append(dst, openValue...)
		dst = appendBase64(dst, r.Value)
		dst = append(dst, '"')
	}
	dst = append(dst, openHeaders...)
	for i := range r.Headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.Headers[i].append(dst)
	}
	dst = append(dst, ']')
	if r.KeySchemaMetadata != nil {
		dst = append(dst, openKeySchema...)
		dst = r.KeySchemaMetadata.append(dst)
	}
	if r.ValueSchemaMetadata != nil {
		dst = append(dst, openValSchema...)
		dst = r.ValueSchemaMetadata.append(dst)
	}
	return append(dst, '}')
}

func (h *Header) append(dst []byte) []byte {
	dst = append(dst, '{')
	dst = appendQuoted(dst, h.Key)
	dst = append(dst, ':')
	dst = appendSignedBytes(dst, h.Value)
	return append(dst, '}')
}

func (m *SchemaMetadata) append(dst []byte) []byte {
	dst = append(dst, openDataFormat...)
	dst = appendQuoted(dst, m.DataFormat)
	dst = append(dst, openSchemaID...)
	dst = appendQuoted(dst, m.SchemaID)
	return append(dst, '}')
}

// MarshalJSON returns the event as Lambda's JSON; see AppendJSON, which is faster than json.Marshal, because
// json.Marshal scans the result again. The error is always nil.
func (e KafkaEvent) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// MarshalJSON returns the record as Lambda's JSON; see KafkaEvent.AppendJSON. The error is always nil.
func (r KafkaRecord) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }
