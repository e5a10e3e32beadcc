package destination

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/esm-go/esm/event"
)

// The members are in the order of AWS's pages.
type document struct {
	RequestContext  requestContext  `json:"requestContext"`
	ResponseContext json.RawMessage `json:"responseContext,omitempty"`
	Version         string          `json:"version"`
	Timestamp       string          `json:"timestamp"`
	Batch           batchInfo       `json:"KafkaBatchInfo"`
	Payload         json.RawMessage `json:"payload,omitempty"`
}

type requestContext struct {
	RequestID   string `json:"requestId"`
	FunctionARN string `json:"functionArn"`
	Condition   string `json:"condition"`
	Invocations int    `json:"approximateInvokeCount"`
}

type responseContext struct {
	StatusCode      int     `json:"statusCode"`
	ExecutedVersion string  `json:"executedVersion"`
	FunctionError   *string `json:"functionError"`
}

type batchInfo struct {
	BatchSize        int                    `json:"batchSize"`
	EventSourceARN   string                 `json:"eventSourceArn,omitempty"`
	BootstrapServers string                 `json:"bootstrapServers"`
	PayloadSize      int                    `json:"payloadSize"`
	Records          map[string]recordsInfo `json:"recordsInfo,omitempty"`
	Record           *recordInfo            `json:"recordInfo,omitempty"`
}

type recordsInfo struct {
	FirstOffset string `json:"firstRecordOffset"`
	LastOffset  string `json:"lastRecordOffset"`
	FirstTime   string `json:"firstRecordTimestamp,omitempty"`
	LastTime    string `json:"lastRecordTimestamp,omitempty"`
}

type recordInfo struct {
	Offset string `json:"offset"`
	Time   string `json:"timestamp,omitempty"`
}

// timeLayout is AWS's time format: UTC with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// timeText formats a time as AWS does. It returns "" for the zero Time.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeLayout)
}

// Metadata returns the document for an SQS queue or an SNS topic: metadata only. If it would be longer than limit bytes
// (0: no limit), recordsInfo names only as many partitions as fit, in byte order, and left is the number of partitions
// omitted. batchSize and payloadSize still count all records. The document is longer than limit only if not even one
// partition fits.
func (f *Failure) Metadata(limit int) (doc []byte, left int) {
	keys := f.Partitions()
	d := f.document(f.Event.Size())
	infos := make(map[string]recordsInfo, len(keys))
	if len(keys) > 0 {
		infos[keys[0]] = infoOf(f.Event.Records[keys[0]])
	}
	d.Batch.Records = infos
	size := len(encode(d))
	named := min(1, len(keys))
	for ; named < len(keys); named++ {
		info := infoOf(f.Event.Records[keys[named]])
		size += len(encode(map[string]recordsInfo{keys[named]: info})) - len("{}") + len(",")
		if limit > 0 && size > limit {
			break
		}
		infos[keys[named]] = info
	}
	return encode(d), len(keys) - named
}

// Document returns the document for an S3 bucket: the metadata, and the whole event as an escaped string.
func (f *Failure) Document() []byte {
	payload := f.Event.AppendJSON(nil)
	d := f.document(len(payload))
	d.Batch.Records = make(map[string]recordsInfo)
	for _, key := range f.Partitions() {
		d.Batch.Records[key] = infoOf(f.Event.Records[key])
	}
	d.Payload = encode(string(payload))
	return encode(d)
}

// RecordDocument returns the document for a Kafka topic, for the failure of a single record, see [Failure.One]: the
// metadata of that record, and its event as an object.
func (f *Failure) RecordDocument() []byte {
	d := f.document(f.Event.Size())
	if d.RequestContext.Condition == string(RetryAttemptsExhausted) {
		d.RequestContext.Condition = retriesExhausted
	}
	for _, records := range f.Event.Records {
		for i := range records {
			d.Batch.Record = &recordInfo{Offset: strconv.FormatInt(records[i].Offset, 10), Time: timeText(records[i].Time())}
		}
	}
	d.Payload = encode(payloadOf(f.Event))
	return encode(d)
}

// document returns the members that all documents have.
func (f *Failure) document(payloadSize int) document {
	id := f.RequestID
	if id == "" {
		id = f.ID()
	}
	return document{
		RequestContext: requestContext{RequestID: id, FunctionARN: f.FunctionARN, Condition: string(f.Condition),
			Invocations: max(f.Invocations, 1)},
		ResponseContext: f.responseContext(),
		Version:         "1.0",
		Timestamp:       f.Time.UTC().Format(timeLayout),
		Batch: batchInfo{BatchSize: f.Len(), EventSourceARN: f.Event.EventSourceARN,
			BootstrapServers: f.Event.BootstrapServers, PayloadSize: payloadSize},
	}
}

// responseContext is left out for records that are too old, as observed on AWS, and null if there was no answer.
func (f *Failure) responseContext() json.RawMessage {
	switch {
	case f.Condition == RecordAgeExceeded:
		return nil
	case f.Response == nil:
		return json.RawMessage("null")
	}
	r := responseContext{StatusCode: f.Response.StatusCode, ExecutedVersion: f.Response.ExecutedVersion}
	if f.Response.FunctionError != "" {
		r.FunctionError = &f.Response.FunctionError
	}
	return encode(r)
}

func infoOf(records []event.KafkaRecord) recordsInfo {
	first, last := &records[0], &records[len(records)-1]
	return recordsInfo{
		FirstOffset: strconv.FormatInt(first.Offset, 10), LastOffset: strconv.FormatInt(last.Offset, 10),
		FirstTime: timeText(first.Time()), LastTime: timeText(last.Time()),
	}
}

// encode returns compact JSON. The values encoded here cannot cause an error.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // AWS does not escape its documents for HTML
	_ = e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
