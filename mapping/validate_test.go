package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// validMapping is valid in strict and in provisioned mode, so that a change of one field breaks one rule.
func validMapping() Mapping {
	m := Mapping{
		FunctionName:               "orders",
		Topics:                     []string{"orders"},
		SourceAccessConfigurations: []SourceAccessConfiguration{{Type: "BASIC_AUTH", URI: "arn:aws:secretsmanager:eu-central-1:012345678901:secret:s"}},
		ProvisionedPollerConfig:    &ProvisionedPollerConfig{},
	}
	m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = []string{"localhost:9092"}
	return m
}

// fieldErrors splits the error of Validate.
func fieldErrors(t *testing.T, err error) []*FieldError {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v is not joined", err)
	}
	var fields []*FieldError
	for _, err := range joined.Unwrap() {
		field := &FieldError{}
		ok := errors.As(err, &field)
		if !ok || !errors.Is(err, ErrInvalid) {
			t.Fatalf("%v is not a *FieldError", err)
		}
		fields = append(fields, field)
	}
	return fields
}

func TestValidateLimits(t *testing.T) {
	for _, test := range limitCases() {
		t.Run(test.field+"/"+shorten(test.name), func(t *testing.T) {
			m := validMapping()
			test.change(&m)
			checkLimit(t, "Validate", m.Validate(), test.field, test.loose)
			checkLimit(t, "ValidateStrict", m.ValidateStrict(), test.field, test.strict)
		})
	}
}

// checkLimit checks that the errors of field contain reason, or that field has none if reason is empty.
func checkLimit(t *testing.T, what string, err error, field, reason string) {
	t.Helper()
	found := ""
	for _, e := range fieldErrors(t, err) {
		if e.Field == field {
			found += e.Reason + "\n"
		}
	}
	if reason == "" && found != "" || !strings.Contains(found, reason) {
		t.Errorf("%s: %s: got %q, want %q\nall: %v", what, field, found, reason, err)
	}
	if reason == "" && err != nil && what == "Validate" {
		t.Errorf("%s: %v", what, err)
	}
}

// A change of one field breaks at most one rule, so the accepted cases of the table have no error at all.
func TestValidMapping(t *testing.T) {
	if err := errors.Join(validMapping().Validate(), validMapping().ValidateStrict()); err != nil {
		t.Error(err)
	}
}

func TestValidateReportsEverything(t *testing.T) {
	m := Mapping{
		BatchSize: -5, UUID: "x", StartingPosition: AtTimestamp, MaximumRetryAttempts: new(-7), Topics: []string{"a", "a", "b c"},
		FilterCriteria: &FilterCriteria{[]Filter{{"x"}, {`{"value":["a"]}`}, {"y"}}},
	}
	var got []string
	for _, e := range fieldErrors(t, m.Validate()) {
		got = append(got, e.Field)
	}
	want := []string{
		"UUID", servers, "Topics[1]", "Topics[2]", "StartingPositionTimestamp", "BatchSize", "MaximumRetryAttempts",
		"FilterCriteria.Filters[0].Pattern", "FilterCriteria.Filters[2].Pattern",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A value in the wrong place may be a password, so it is not shown.
func TestValidateShowsNoSecret(t *testing.T) {
	const password = "hunter2"
	m := validMapping()
	m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = []string{"SASL_SSL://me:" + password + "@broker:9092", "me:" + password + "@broker:9092"}
	m.SourceAccessConfigurations = []SourceAccessConfiguration{
		{Type: "BASIC_AUTH", URI: `{"username":"me","password":"` + password + `"}`}, {Type: "IAM_AUTH", URI: password},
		{Type: "BASIC_AUTH", URI: password + strings.Repeat("x", 300)},
	}
	m.SelfManagedKafkaEventSourceConfig = &SelfManagedKafkaEventSourceConfig{SchemaRegistryConfig: &SchemaRegistryConfig{
		SchemaRegistryURI: "https://me:" + password + "@registry", EventRecordFormat: "JSON",
		AccessConfigs: []SourceAccessConfiguration{{Type: "BASIC_AUTH", URI: `"` + password + `"`}},
	}}
	for _, err := range []error{m.Validate(), m.ValidateStrict()} {
		if n := len(fieldErrors(t, err)); n < 6 {
			t.Errorf("%d errors: %v", n, err)
		}
		if text := fmt.Sprintf("%v %+v", err, fieldErrors(t, err)); strings.Contains(text, password) {
			t.Errorf("shows the password: %s", text)
		}
	}
}

func TestDestinationOfPatternTopics(t *testing.T) {
	m := validMapping()
	m.Topics = []string{"other", "^orders.*"}
	m.DestinationConfig = &DestinationConfig{OnFailure: &Destination{"kafka://orders-failed"}}
	checkLimit(t, "Validate", m.Validate(), "DestinationConfig.OnFailure.Destination", "is what Topics[1] reads")
	m.DestinationConfig.OnFailure.Destination = "kafka://failed-orders"
	checkLimit(t, "Validate", m.Validate(), "DestinationConfig.OnFailure.Destination", "")
}
