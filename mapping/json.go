package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Parse reads a mapping from the JSON of CreateEventSourceMapping: what "aws lambda create-event-source-mapping
// --cli-input-json" accepts, and also UUID. It accepts the document that get-event-source-mapping prints too, and
// ignores fields that only responses have: State, FunctionArn, LastModified and so on. StartingPositionTimestamp is a
// number of seconds since the Unix epoch, with or without a fraction, or a string in RFC 3339 format, as the AWS CLI
// prints it.
//
// A name that is not a parameter of self-managed Kafka is an error that says where it is. (json.Unmarshal into a
// Mapping ignores such names, and matches names without regard to case.) Parse does not validate; New and
// Mapping.Validate do. Its error wraps ErrInvalid, and the mapping is then zero.
func Parse(data []byte) (Mapping, error) {
	var m Mapping
	if err := json.Unmarshal(data, &m); err != nil {
		return Mapping{}, errors.Join(unknownFields(data), documentError(err))
	}
	if err := unknownFields(data); err != nil {
		return Mapping{}, err
	}
	return m, nil
}

// plainMapping is Mapping without its methods.
type plainMapping Mapping

// mappingDocument is the JSON of a Mapping.
type mappingDocument struct {
	plainMapping
	StartingPositionTimestamp *epochSeconds `json:"StartingPositionTimestamp,omitempty"`
}

// MarshalJSON returns the mapping as the JSON of CreateEventSourceMapping, without what is unset.
func (m Mapping) MarshalJSON() ([]byte, error) {
	document := mappingDocument{plainMapping: plainMapping(m)}
	if !m.StartingPositionTimestamp.IsZero() {
		document.StartingPositionTimestamp = &epochSeconds{m.StartingPositionTimestamp}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false) // filter patterns have < and > in them
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// UnmarshalJSON reads the JSON of CreateEventSourceMapping; see Parse, which refuses unknown names. As with any struct,
// fields that the document does not name stay as they are. On an error all fields do.
func (m *Mapping) UnmarshalJSON(data []byte) error {
	document := mappingDocument{plainMapping: plainMapping(*m)}
	if err := json.Unmarshal(data, &document); err != nil {
		return documentError(err)
	}
	*m = Mapping(document.plainMapping)
	if t := document.StartingPositionTimestamp; t != nil {
		m.StartingPositionTimestamp = t.Time
	}
	return nil
}

// documentError adds to an error of encoding/json which field it is about.
func documentError(err error) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, ErrInvalid):
		return err
	case errors.As(err, &wrongType):
		field := strings.TrimPrefix(wrongType.Field, "plainMapping.")
		if field == "" {
			field = "the mapping"
		}
		return &FieldError{Field: field, Reason: fmt.Sprintf("found a %s, want %s", wrongType.Value, wantedJSON(wrongType.Type)), Err: err}
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: the document is not JSON, at byte %d: %w", ErrInvalid, syntax.Offset, err)
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// wantedJSON names the JSON type that a Go type is decoded from.
func wantedJSON(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}
