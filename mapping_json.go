package esm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// ParseMapping reads the JSON of CreateEventSourceMapping, as `aws lambda create-event-source-mapping
// --cli-input-json` takes it, or what get-event-source-mapping prints. A field that neither knows is an error that names
// it: a typo must not become a default. It does not validate; see Mapping.Validate.
func ParseMapping(data []byte) (Mapping, error) {
	var m Mapping
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var doc document
	doc.fields = (*fields)(&m)
	if err := dec.Decode(&doc); err != nil {
		return Mapping{}, &FieldError{Field: "mapping", Reason: "is not the JSON of a CreateEventSourceMapping: " + err.Error(), Err: err}
	}
	if dec.More() {
		return Mapping{}, &FieldError{Field: "mapping", Reason: "has text after its closing brace"}
	}
	return m, doc.finish(&m)
}

// fields is Mapping without its methods, so that encoding/json reads its fields.
type fields Mapping

// document is a mapping's JSON: its fields, the timestamp in AWS's form, and what only AWS's answers have.
type document struct {
	*fields
	StartingPositionTimestamp *epoch `json:"StartingPositionTimestamp,omitempty"`

	answer
}

// answer holds the fields that get-event-source-mapping prints beside the request's; they are read and passed over,
// but for State.
type answer struct {
	State                 State           `json:"State,omitempty"`
	StateTransitionReason json.RawMessage `json:"StateTransitionReason,omitempty"`
	LastProcessingResult  json.RawMessage `json:"LastProcessingResult,omitempty"`
	LastModified          json.RawMessage `json:"LastModified,omitempty"`
	FunctionArn           string          `json:"FunctionArn,omitempty"`
	EventSourceMappingArn json.RawMessage `json:"EventSourceMappingArn,omitempty"`
	FilterCriteriaError   json.RawMessage `json:"FilterCriteriaError,omitempty"`
	ResponseMetadata      json.RawMessage `json:"ResponseMetadata,omitempty"`
}

// finish moves what stands in another form into the mapping.
func (d *document) finish(m *Mapping) error {
	if d.StartingPositionTimestamp != nil {
		m.StartingPositionTimestamp = time.Time(*d.StartingPositionTimestamp)
	}
	if m.FunctionName == "" {
		m.FunctionName = d.FunctionArn
	}
	if m.Enabled == nil && (d.State == Disabled || d.State == Disabling) {
		m.Enabled = new(false)
	}
	return nil
}

// UnmarshalJSON reads the JSON of CreateEventSourceMapping, unknown fields passed over; ParseMapping is strict.
func (m *Mapping) UnmarshalJSON(data []byte) error {
	var read Mapping
	doc := document{fields: (*fields)(&read)}
	if err := json.Unmarshal(data, &doc); err != nil {
		return err
	}
	if err := doc.finish(&read); err != nil {
		return err
	}
	*m = read
	return nil
}

// MarshalJSON prints the JSON of CreateEventSourceMapping; unset fields are left out.
func (m Mapping) MarshalJSON() ([]byte, error) {
	doc := struct {
		*fields
		StartingPositionTimestamp *epoch `json:"StartingPositionTimestamp,omitempty"`
	}{fields: (*fields)(&m)}
	if !m.StartingPositionTimestamp.IsZero() {
		doc.StartingPositionTimestamp = (*epoch)(&m.StartingPositionTimestamp)
	}
	return json.Marshal(doc)
}

// epoch is a time in AWS's JSON: seconds since the Unix epoch, a number with a fraction where there is one. RFC 3339
// text is read too, as the aws command prints it.
type epoch time.Time

// MarshalJSON prints milliseconds at most, as AWS does.
func (e epoch) MarshalJSON() ([]byte, error) {
	ms := time.Time(e).UnixMilli()
	return strconv.AppendFloat(nil, float64(ms)/1000, 'f', -1, 64), nil
}

func (e *epoch) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var t time.Time
		if err := json.Unmarshal(data, &t); err != nil {
			return fmt.Errorf("StartingPositionTimestamp: want epoch seconds or RFC 3339: %w", err)
		}
		*e = epoch(t.UTC())
		return nil
	}
	seconds, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return fmt.Errorf("StartingPositionTimestamp: want epoch seconds: %w", err)
	}
	if math.Abs(seconds) > 1e11 {
		return errors.New("StartingPositionTimestamp: out of range: is it in milliseconds? AWS takes seconds")
	}
	*e = epoch(time.UnixMilli(int64(math.Round(seconds * 1000))).UTC())
	return nil
}
