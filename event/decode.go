package event

import (
	"encoding/base64"
	"strconv"
)

// UnmarshalJSON reads an event in Lambda's JSON, of self-managed Kafka or MSK. It accepts a key or value that is null
// or missing (both nil), headers that are null or missing, header bytes signed or unsigned (-128 … 255), and numbers
// written as strings, like the partition in old samples. It ignores unknown fields; names are case-sensitive. A record
// without a timestamp gets Timestamp -1 and NoTimestampType. JSON null leaves the event unchanged. The result shares no
// memory with data. On an error, which is always a *DecodeError, the event is unchanged.
func (e *KafkaEvent) UnmarshalJSON(data []byte) error {
	p := parser{data: data}
	var read KafkaEvent
	null, err := p.document(func() *DecodeError { return p.event(&read) })
	if err != nil {
		return err
	}
	if null {
		return nil
	}
	*e = read
	return nil
}

// UnmarshalJSON reads one record in Lambda's JSON, as KafkaEvent.UnmarshalJSON does.
func (r *KafkaRecord) UnmarshalJSON(data []byte) error {
	p := parser{data: data}
	var read KafkaRecord
	null, err := p.document(func() *DecodeError { return p.record(&read) })
	if err != nil {
		return err
	}
	if null {
		return nil
	}
	*r = read
	return nil
}

func (p *parser) event(e *KafkaEvent) *DecodeError {
	return p.object(func(name []byte) (err *DecodeError) {
		switch string(name) {
		case "eventSource":
			e.EventSource, err = p.text()
		case "eventSourceArn":
			e.EventSourceARN, err = p.text()
		case "bootstrapServers":
			e.BootstrapServers, err = p.text()
		case "records":
			e.Records, err = p.partitions()
		default:
			err = p.skip()
		}
		return inField(name, err)
	})
}

func (p *parser) partitions() (map[string][]KafkaRecord, *DecodeError) {
	if p.null() {
		return nil, nil
	}
	partitions := make(map[string][]KafkaRecord)
	err := p.object(func(key []byte) *DecodeError {
		var records []KafkaRecord
		err := p.array(func(i int) *DecodeError {
			records = append(records, KafkaRecord{})
			return inIndex(i, p.record(&records[i]))
		})
		if err != nil {
			return inKey(key, err)
		}
		partitions[string(key)] = records
		return nil
	})
	return partitions, err
}

func (p *parser) record(r *KafkaRecord) *DecodeError {
	*r = KafkaRecord{Timestamp: -1}
	timestampType := ""
	err := p.object(func(name []byte) (err *DecodeError) {
		switch string(name) {
		case "topic":
			r.Topic, err = p.topicName()
		case "partition":
			var n int64
			n, err = p.integer(32)
			r.Partition = int32(n)
		case "offset":
			r.Offset, err = p.integer(64)
		case "timestamp":
			if !p.null() {
				r.Timestamp, err = p.integer(64)
			}
		case "timestampType":
			timestampType, r.TimestampType, err = p.timestampType()
		case "key":
			r.Key, err = p.base64()
		case "value":
			r.Value, err = p.base64()
		case "headers":
			r.Headers, err = p.headers()
		case "keySchemaMetadata":
			r.KeySchemaMetadata, err = p.schemaMetadata()
		case "valueSchemaMetadata":
			r.ValueSchemaMetadata, err = p.schemaMetadata()
		default:
			err = p.skip()
		}
		return inField(name, err)
	})
	if timestampType == "" && r.Timestamp < 0 {
		r.TimestampType = NoTimestampType
	}
	return err
}

// topicName reads a topic; the records of a partition share one string.
func (p *parser) topicName() (string, *DecodeError) {
	if p.null() {
		return "", nil
	}
	raw, err := p.raw("a string")
	if err != nil {
		return "", err
	}
	if string(raw) != p.topic {
		p.topic = string(raw)
	}
	return p.topic, nil
}

func (p *parser) timestampType() (string, TimestampType, *DecodeError) {
	start := p.pos
	name, err := p.text()
	if err != nil || name == "" {
		return "", CreateTime, err
	}
	for t := CreateTime; t <= NoTimestampType; t++ {
		if name == t.String() {
			return name, t, nil
		}
	}
	return "", 0, p.errAt(start, "timestamp type "+strconv.Quote(name)+" is none of CREATE_TIME, LOG_APPEND_TIME and NO_TIMESTAMP_TYPE")
}

// base64 reads bytes. It returns nil for null, but not for "".
func (p *parser) base64() ([]byte, *DecodeError) {
	if p.null() {
		return nil, nil
	}
	start := p.pos
	raw, err := p.raw("a string")
	if err != nil {
		return nil, err
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
	n, wrong := base64.StdEncoding.Decode(decoded, raw)
	if wrong != nil {
		return nil, p.errAt(start, "not standard base64 with padding: "+wrong.Error())
	}
	return decoded[:n:n], nil
}

func (p *parser) headers() ([]Header, *DecodeError) {
	if p.null() {
		return nil, nil
	}
	var headers []Header
	err := p.array(func(i int) *DecodeError {
		return inIndex(i, p.object(func(name []byte) *DecodeError {
			value, err := p.headerValue()
			headers = append(headers, Header{Key: string(name), Value: value})
			return inKey(name, err)
		}))
	})
	return headers, err
}

// headerValue reads an array of signed or unsigned bytes, nil for null.
func (p *parser) headerValue() ([]byte, *DecodeError) {
	if p.null() {
		return nil, nil
	}
	value := []byte{}
	err := p.array(func(i int) *DecodeError {
		start := p.pos
		n, err := p.integer(64)
		if err == nil && (n < -128 || n > 255) {
			err = p.errAt(start, "header byte "+strconv.FormatInt(n, 10)+" is not in -128 … 255")
		}
		value = append(value, byte(n))
		return inIndex(i, err)
	})
	return value, err
}

func (p *parser) schemaMetadata() (*SchemaMetadata, *DecodeError) {
	if p.null() {
		return nil, nil
	}
	m := new(SchemaMetadata)
	err := p.object(func(name []byte) (err *DecodeError) {
		switch string(name) {
		case "dataFormat":
			m.DataFormat, err = p.text()
		case "schemaId":
			m.SchemaID, err = p.text()
		default:
			err = p.skip()
		}
		return inField(name, err)
	})
	return m, err
}
