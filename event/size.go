package event

// The sizes of this file are those of AppendJSON, byte for byte, found without encoding. They add up: an event of at
// least one partition, none of them empty, has
//
//	EnvelopeSize + the PartitionSize of each partition + (Size + 1) of each record
//
// bytes, so a batch can be filled up to Lambda's payload limit by adding as its records come.

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

// Size returns the exact number of bytes of the record's JSON, as KafkaRecord.AppendJSON writes it, without
// encoding it: HeadSize + TailSize. It takes some nanoseconds, and more only for headers, which cost a look at each
// byte.
func Size(r *KafkaRecord) int { return HeadSize(r.Topic, r.Partition) + TailSize(r) }

// HeadSize returns the part of Size that is the same for every record of a partition, so that a reader of many can
// find it once.
func HeadSize(topic string, partition int32) int {
	return len(openTopic) + quotedLen(topic) + len(openPartition) + intLen(int64(partition)) + len(openOffset)
}

// TailSize returns the part of Size that is the record's own: all but its topic and partition. It does not read those.
func TailSize(r *KafkaRecord) int {
	n := len(openTimestamp+openType+`"`+openHeaders+`]}`) + longIntLen(r.Offset) + millisLen(r.Timestamp)
	if r.TimestampType == CreateTime {
		n += len("CREATE_TIME")
	} else {
		n += len(r.TimestampType.String())
	}
	if r.Key != nil {
		n += len(openKey) + base64Len(len(r.Key)) + len(`"`)
	}
	if r.Value != nil {
		n += len(openValue) + base64Len(len(r.Value)) + len(`"`)
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

// EnvelopeSize returns what the event without its records takes: the part that is the same for every batch of a
// mapping. See Size and PartitionSize for the rest.
func (e *KafkaEvent) EnvelopeSize() int {
	n := len(openEventSource) + quotedLen(e.EventSource)
	if e.EventSourceARN != "" {
		n += len(openEventSourceARN) + quotedLen(e.EventSourceARN)
	}
	// Less one: PartitionSize counts a comma after every partition, and the last one has none.
	return n + len(openServers) + quotedLen(e.BootstrapServers) + len(openRecords) + len(closeEvent) - 1
}

// PartitionSize returns what a partition takes in an event beside its records, each of which takes Size + 1.
func PartitionSize(topic string, partition int32) int {
	// A comma more for the partition, one less for its last record.
	return quotedLen(topic) + len(`-`) + intLen(int64(partition)) + len(`:[]`)
}

// Size returns the exact number of bytes of the event's JSON, as AppendJSON writes it, without encoding it.
func (e *KafkaEvent) Size() int {
	n := e.EnvelopeSize()
	if len(e.Records) == 0 {
		return n + 1
	}
	for key, records := range e.Records {
		n += quotedLen(key) + len(`:[]`)
		if len(records) == 0 {
			n++
		}
		for i := range records {
			n += Size(&records[i]) + 1
		}
	}
	return n
}
