package destination

import (
	"encoding/json"
	"strconv"

	"github.com/esm-go/esm/event"
)

// payload is the event as AWS's page on Kafka destinations shows it. Its members are sorted by name, unlike those of
// the event that a function gets.
type payload struct {
	BootstrapServers string                     `json:"bootstrapServers"`
	EventSource      string                     `json:"eventSource"`
	EventSourceARN   string                     `json:"eventSourceArn,omitempty"`
	Records          map[string][]payloadRecord `json:"records"`
}

type payloadRecord struct {
	Headers             json.RawMessage `json:"headers"`
	Key                 *[]byte         `json:"key,omitempty"`
	KeySchemaMetadata   *payloadSchema  `json:"keySchemaMetadata,omitempty"`
	Offset              int64           `json:"offset"`
	Partition           int32           `json:"partition"`
	Timestamp           int64           `json:"timestamp"`
	TimestampType       string          `json:"timestampType"`
	Topic               string          `json:"topic"`
	Value               *[]byte         `json:"value,omitempty"`
	ValueSchemaMetadata *payloadSchema  `json:"valueSchemaMetadata,omitempty"`
}

type payloadSchema struct {
	DataFormat string `json:"dataFormat"`
	SchemaID   string `json:"schemaId"`
}

func payloadOf(e event.KafkaEvent) payload {
	p := payload{BootstrapServers: e.BootstrapServers, EventSource: e.EventSource, EventSourceARN: e.EventSourceARN,
		Records: make(map[string][]payloadRecord, len(e.Records))}
	for key, records := range e.Records {
		list := make([]payloadRecord, len(records))
		for i := range records {
			r := &records[i]
			list[i] = payloadRecord{Headers: headersJSON(r.Headers), Key: present(r.Key), Offset: r.Offset, Partition: r.Partition,
				Timestamp: r.Timestamp, TimestampType: r.TimestampType.String(), Topic: r.Topic, Value: present(r.Value),
				KeySchemaMetadata: schemaOf(r.KeySchemaMetadata), ValueSchemaMetadata: schemaOf(r.ValueSchemaMetadata)}
		}
		p.Records[key] = list
	}
	return p
}

// present keeps an empty value apart from a missing one.
func present(b []byte) *[]byte {
	if b == nil {
		return nil
	}
	return &b
}

func schemaOf(m *event.SchemaMetadata) *payloadSchema {
	if m == nil {
		return nil
	}
	return &payloadSchema{m.DataFormat, m.SchemaID}
}

// headersJSON encodes header values as signed bytes, as Java does, and a null value as null.
func headersJSON(headers []event.Header) json.RawMessage {
	out := []byte{'['}
	for i, h := range headers {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '{')
		out = append(out, encode(h.Key)...)
		out = append(out, ':')
		if h.Value == nil {
			out = append(out, "null}"...)
			continue
		}
		out = append(out, '[')
		for j, b := range h.Value {
			if j > 0 {
				out = append(out, ',')
			}
			out = strconv.AppendInt(out, int64(int8(b)), 10) //nolint:gosec // the sign is what is wanted
		}
		out = append(out, "]}"...)
	}
	return append(out, ']')
}
