package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// responseFields appear only in the responses of Create-, Get- and UpdateEventSourceMapping, not in requests.
var responseFields = []string{
	"EventSourceMappingArn", "FilterCriteriaError", "FunctionArn", "LastModified", "LastProcessingResult",
	"ResponseMetadata", "State", "StateTransitionReason",
}

// foreignFields are the parameters of CreateEventSourceMapping that belong to other event sources.
var foreignFields = map[string]string{
	"AmazonManagedKafkaEventSourceConfig": "is for Amazon MSK; use SelfManagedKafkaEventSourceConfig",
	"DocumentDBEventSourceConfig":         "is for Amazon DocumentDB; leave it out",
	"EventSourceArn":                      "is for AWS's own sources; name the brokers in SelfManagedEventSource.Endpoints.KAFKA_BOOTSTRAP_SERVERS",
	"ParallelizationFactor":               "is for Kinesis and DynamoDB; leave it out",
	"Queues":                              "is for Amazon MQ; use Topics",
	"ScalingConfig":                       "is for Amazon SQS; use ProvisionedPollerConfig",
	"TumblingWindowInSeconds":             "is for Kinesis and DynamoDB; leave it out",
}

// unknownFields reports every name in the document that a Mapping does not have, in the order of their paths.
func unknownFields(document []byte) error {
	var errs []error
	walkFields(document, reflect.TypeFor[mappingDocument](), "", func(err *FieldError) { errs = append(errs, err) })
	return errors.Join(errs...)
}

// walkFields reports the names in value for which t, the type it will be decoded into, has no field. It skips values of
// the wrong form, because decoding reports those.
func walkFields(value json.RawMessage, t reflect.Type, path string, report func(*FieldError)) {
	switch t.Kind() {
	case reflect.Pointer:
		walkFields(value, t.Elem(), path, report)
	case reflect.Slice:
		var elements []json.RawMessage
		_ = json.Unmarshal(value, &elements)
		for i, element := range elements {
			walkFields(element, t.Elem(), path+"["+strconv.Itoa(i)+"]", report)
		}
	case reflect.Struct:
		if t == reflect.TypeFor[epochSeconds]() {
			return
		}
		var members map[string]json.RawMessage
		_ = json.Unmarshal(value, &members)
		known := jsonFields(t)
		for _, name := range slices.Sorted(maps.Keys(members)) {
			field := strings.TrimPrefix(path+"."+name, ".")
			if t, ok := known[name]; ok {
				walkFields(members[name], t, field, report)
			} else if reason := unknownReason(path, name, members[name], known); reason != "" {
				report(&FieldError{Field: field, Reason: reason})
			}
		}
	}
}

// unknownReason returns what is wrong with an unknown name, or "" if it is allowed.
func unknownReason(path, name string, value json.RawMessage, known map[string]reflect.Type) string {
	if path == "" {
		if slices.Contains(responseFields, name) {
			return ""
		}
		if reason, ok := foreignFields[name]; ok {
			if blank(value) { // get-event-source-mapping and --generate-cli-skeleton print it
				return ""
			}
			return reason
		}
	}
	for right := range known {
		if strings.EqualFold(right, name) {
			return "is not a parameter; AWS writes " + right
		}
	}
	return "is not a parameter; there are " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

// blank reports whether a JSON value is null, zero or empty.
func blank(value json.RawMessage) bool {
	switch string(bytes.TrimSpace(value)) {
	case `null`, `0`, `""`, `[]`, `{}`, `false`:
		return true
	}
	return false
}

// jsonFields returns the JSON names of a struct's fields, including those of embedded structs.
func jsonFields(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for field := range t.Fields() {
		if field.Anonymous {
			maps.Copy(fields, jsonFields(field.Type))
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "-" {
			fields[name] = field.Type
		}
	}
	return fields
}
