package destination

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/esm-go/esm/event"
)

// Document is a parsed document, written by AWS Lambda or by this package.
type Document struct {
	RequestID   string
	FunctionARN string
	Condition   Condition
	// Invocations is approximateInvokeCount.
	Invocations int
	// Response is nil if responseContext is null or missing.
	Response *Response
	// Time is when the records were given up.
	Time             time.Time
	BatchSize        int
	EventSourceARN   string
	BootstrapServers string
	PayloadSize      int
	// Ranges are the first and the last offset of each partition in recordsInfo, by "topic-partition". It is nil for
	// the document of a Kafka topic.
	Ranges map[string]OffsetRun
	// Event is the payload. Its Records are nil if the document has no payload.
	Event event.KafkaEvent
}

// Parse parses a document of any kind: with recordsInfo or recordInfo, and without a payload or with one as a string or
// an object. RetriesExhausted becomes RetryAttemptsExhausted.
func Parse(data []byte) (*Document, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("destination: not a failure document: %w", err)
	}
	if d.RequestContext.Condition == "" {
		return nil, fmt.Errorf("destination: not a failure document: requestContext.condition is missing in %q", abbreviate(string(data)))
	}
	out := &Document{RequestID: d.RequestContext.RequestID, FunctionARN: d.RequestContext.FunctionARN,
		Condition: Condition(d.RequestContext.Condition), Invocations: d.RequestContext.Invocations,
		BatchSize: d.Batch.BatchSize, EventSourceARN: d.Batch.EventSourceARN, BootstrapServers: d.Batch.BootstrapServers,
		PayloadSize: d.Batch.PayloadSize}
	if out.Condition == retriesExhausted {
		out.Condition = RetryAttemptsExhausted
	}
	var err error
	if out.Time, err = time.Parse(time.RFC3339Nano, d.Timestamp); err != nil {
		return nil, fmt.Errorf("destination: timestamp of a failure document: %w", err)
	}
	if out.Response, err = parseResponse(d.ResponseContext); err != nil {
		return nil, err
	}
	if out.Ranges, err = parseRanges(d.Batch.Records); err != nil {
		return nil, err
	}
	if out.Event, err = parsePayload(d.Payload); err != nil {
		return nil, err
	}
	if out.Event.Records == nil && out.Ranges == nil {
		return nil, fmt.Errorf("destination: a failure document with neither records nor recordsInfo: %q", abbreviate(string(data)))
	}
	return out, nil
}

func parseResponse(raw json.RawMessage) (*Response, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil //nolint:nilnil // no answer is an answer
	}
	var r responseContext
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("destination: responseContext of a failure document: %w", err)
	}
	out := &Response{StatusCode: r.StatusCode, ExecutedVersion: r.ExecutedVersion}
	if r.FunctionError != nil {
		out.FunctionError = *r.FunctionError
	}
	return out, nil
}

func parseRanges(infos map[string]recordsInfo) (map[string]OffsetRun, error) {
	if infos == nil {
		return nil, nil
	}
	out := make(map[string]OffsetRun, len(infos))
	for key, info := range infos {
		first, err := strconv.ParseUint(info.FirstOffset, 10, 63)
		if err == nil {
			var last uint64
			if last, err = strconv.ParseUint(info.LastOffset, 10, 63); err == nil && last >= first {
				out[key] = OffsetRun{int64(first), int64(last)}
				continue
			}
		}
		return nil, fmt.Errorf("destination: recordsInfo of %q: the offsets %q and %q are not two numbers from 0 to %d in ascending order",
			key, info.FirstOffset, info.LastOffset, int64(math.MaxInt64))
	}
	return out, nil
}

// parsePayload parses an event, an event in a string, or no payload.
func parsePayload(raw json.RawMessage) (event.KafkaEvent, error) {
	var e event.KafkaEvent
	if len(raw) == 0 || string(raw) == "null" {
		return e, nil
	}
	if raw[0] == '"' {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return e, fmt.Errorf("destination: payload of a failure document: %w", err)
		}
		raw = json.RawMessage(text)
	}
	if err := e.UnmarshalJSON(raw); err != nil {
		return event.KafkaEvent{}, fmt.Errorf("destination: payload of a failure document: %w", err)
	}
	return e, nil
}
