package event

import "github.com/esm-go/esm/internal/jsonlen"

// The functions in this file compute the exact sizes of AppendJSON's output without encoding.

// The constant parts of the JSON, in order.
const (
	openEventSource    = `{"eventSource":`
	openEventSourceARN = `,"eventSourceArn":`
	openServers        = `,"bootstrapServers":`
	openRecords        = `,"records":{`
	closeEvent         = `}}`

	openTopic     = `{"topic":`
	openPartition = `,"partition":`
	openOffset    = `,"offset":`
	openTimestamp = `,"timestamp":`
	openType      = `,"timestampType":"`
	openKey       = `,"key":"`
	openValue     = `,"value":"`
	openHeaders   = `,"headers":[`
	openKeySchema = `,"keySchemaMetadata":`
	openValSchema = `,"valueSchemaMetadata":`

	openDataFormat = `{"dataFormat":`
	openSchemaID   = `,"schemaId":`
)

// Size returns the exact number of bytes of the record's JSON, as AppendJSON writes it, without encoding it. It takes
// some nanoseconds; only headers cost more, because each of their bytes is looked at.
func (r *KafkaRecord) Size() int {
	n := len(openTopic) + quotedLen(r.Topic) + len(openPartition) + jsonlen.Int(int64(r.Partition)) + len(openOffset)
	n += len(openTimestamp+openType+`"`+openHeaders+`]}`) + jsonlen.LongInt(r.Offset) + jsonlen.Millis(r.Timestamp)
	if r.TimestampType == CreateTime {
		n += len("CREATE_TIME")
	} else {
		n += len(r.TimestampType.String())
	}
	if r.Key != nil {
		n += len(openKey) + jsonlen.Base64(len(r.Key)) + len(`"`)
	}
	if r.Value != nil {
		n += len(openValue) + jsonlen.Base64(len(r.Value)) + len(`"`)
	}
	if len(r.Headers) > 0 {
		n += headersLen(r.Headers)
	}
	if r.KeySchemaMetadata != nil {
		n += len(openKeySchema) + r.KeySchemaMetadata.size()
	}
	if r.ValueSchemaMetadata != nil {
		n += len(openValSchema) + r.ValueSchemaMetadata.size()
	}
	return n
}

// headersLen returns what is between the brackets of the headers.
func headersLen(headers []Header) int {
	n := len(headers) - 1 // commas
	for i := range headers {
		h := &headers[i]
		n += len(`{:}`) + quotedLen(h.Key) + signedBytesLen(h.Value)
	}
	return n
}

func (m *SchemaMetadata) size() int {
	return len(openDataFormat) + quotedLen(m.DataFormat) + len(openSchemaID) + quotedLen(m.SchemaID) + len(`}`)
}

// Size returns the exact number of bytes of the event's JSON, as AppendJSON writes it, without encoding it.
func (e *KafkaEvent) Size() int {
	n := len(openEventSource) + quotedLen(e.EventSource)
	if e.EventSourceARN != "" {
		n += len(openEventSourceARN) + quotedLen(e.EventSourceARN)
	}
	n += len(openServers) + quotedLen(e.BootstrapServers) + len(openRecords) + len(closeEvent)
	if len(e.Records) > 0 {
		n-- // the last partition has no comma
	}
	for key, records := range e.Records {
		n += quotedLen(key) + len(`:[]`)
		if len(records) == 0 {
			n++
		}
		for i := range records {
			n += records[i].Size() + 1
		}
	}
	return n
}
