package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// documentedMapping is testdata/create-request.json.
func documentedMapping() Mapping {
	return Mapping{
		FunctionName: "arn:aws:lambda:us-east-1:012345678901:function:my-kafka-function",
		Enabled:      new(true),
		SelfManagedEventSource: SelfManagedEventSource{
			Endpoints: Endpoints{KafkaBootstrapServers: []string{"abc3.xyz.com:9092", "abc2.xyz.com:9092"}},
		},
		Topics: []string{"AWSKafkaTopic"},
		SourceAccessConfigurations: []SourceAccessConfiguration{
			{Type: "SASL_SCRAM_512_AUTH", URI: "arn:aws:secretsmanager:us-east-1:012345678901:secret:MyBrokerSecretName"},
			{Type: "VPC_SUBNET", URI: "subnet:subnet-0011001100"},
			{Type: "VPC_SECURITY_GROUP", URI: "security_group:sg-0123456789"},
		},
		SelfManagedKafkaEventSourceConfig: &SelfManagedKafkaEventSourceConfig{
			ConsumerGroupId: "my-group",
			ConsumptionMode: "Stream",
			SchemaRegistryConfig: &SchemaRegistryConfig{
				SchemaRegistryURI: "https://registry.example.com",
				EventRecordFormat: "JSON",
				AccessConfigs: []SourceAccessConfiguration{
					{Type: "BASIC_AUTH", URI: "arn:aws:secretsmanager:us-east-1:012345678901:secret:Registry"},
				},
				SchemaValidationConfigs: []SchemaValidationConfig{{Attribute: "KEY"}, {Attribute: "VALUE"}},
			},
		},
		StartingPosition:               AtTimestamp,
		StartingPositionTimestamp:      time.Unix(1700000000, 0).UTC(),
		BatchSize:                      100,
		MaximumBatchingWindowInSeconds: new(0),
		MaximumRetryAttempts:           new(3),
		MaximumRecordAgeInSeconds:      new(3600),
		BisectBatchOnFunctionError:     true,
		FunctionResponseTypes:          []FunctionResponseType{ReportBatchItemFailures},
		FilterCriteria:                 &FilterCriteria{Filters: []Filter{{Pattern: `{"value":{"price":[{"numeric":[">",10]}]}}`}}},
		DestinationConfig:              &DestinationConfig{OnFailure: &Destination{Destination: "kafka://failed-topic"}},
		ProvisionedPollerConfig:        &ProvisionedPollerConfig{MinimumPollers: new(1), MaximumPollers: new(3), PollerGroupName: "g"},
		KMSKeyArn:                      "arn:aws:kms:us-east-1:012345678901:key/1234",
		MetricsConfig:                  &MetricsConfig{Metrics: []string{"EventCount", "ErrorCount", "KafkaMetrics"}},
		LoggingConfig:                  &LoggingConfig{SystemLogLevel: "INFO"},
		Tags:                           map[string]string{"team": "x"},
	}
}

func readTestdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestMappingGolden(t *testing.T) {
	document := readTestdata(t, "create-request.json")
	got, err := Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	want := documentedMapping()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("parsed %+v\nwant %+v", got, want)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, document); err != nil {
		t.Fatal(err)
	}
	if printed, err := want.MarshalJSON(); err != nil || string(printed) != compact.String() {
		t.Errorf("printed %s (%v)\nwant %s", printed, err, compact.Bytes())
	}
	if err := want.ValidateStrict(); err != nil {
		t.Error(err)
	}
}

// The golden document has every field, so that a new field cannot be left out of it.
func TestMappingGoldenIsWhole(t *testing.T) {
	v := reflect.ValueOf(documentedMapping())
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "UUID" {
			t.Errorf("%s is not in the golden mapping", name)
		}
	}
}

func TestParseMappingOfResponse(t *testing.T) {
	m, err := Parse(readTestdata(t, "get-response.json"))
	if err != nil {
		t.Fatal(err)
	}
	if m.GroupID() != "14e0db71-5d35-4eb5-b481-8945cf9d10c2" || m.Topics[0] != "topic" ||
		!m.StartingPositionTimestamp.Equal(time.UnixMilli(1700000000500)) || m.FilterCriteria != nil {
		t.Errorf("parsed %+v", m)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
}

func TestParseMappingErrors(t *testing.T) {
	tests := []struct{ json, field, reason string }{
		{`{"BatchSise":1}`, "BatchSise", "is not a parameter; there are BatchSize, BisectBatchOnFunctionError"},
		{`{"batchSize":1}`, "batchSize", "AWS writes BatchSize"},
		{`{"Topics":["a"],"SelfManagedEventSource":{"Endpoints":{"kafka":["a:1"]}}}`,
			"SelfManagedEventSource.Endpoints.kafka", "KAFKA_BOOTSTRAP_SERVERS"},
		{`{"SourceAccessConfigurations":[{"Type":"BASIC_AUTH"},{"Uri":"x"}]}`, "SourceAccessConfigurations[1].Uri", "AWS writes URI"},
		{`{"DestinationConfig":{"OnFailure":{"Arn":"x"}}}`, "DestinationConfig.OnFailure.Arn", "Destination"},
		{`{"EventSourceArn":"arn:aws:kafka:x"}`, "EventSourceArn", "KAFKA_BOOTSTRAP_SERVERS"},
		{`{"Topics":["a"],"SelfManagedEventSource":{"State":"x"}}`, "SelfManagedEventSource.State", "there are Endpoints"},
		{`{"BatchSize":"100"}`, "BatchSize", "found a string, want a whole number"},
		{`{"BatchSize":1.5}`, "BatchSize", "want a whole number"},
		{`{"Enabled":1}`, "Enabled", "want true or false"},
		{`{"Topics":"a"}`, "Topics", "want an array"},
		{`{"Topics":[1]}`, "Topics", "want a string"},
		{`{"FilterCriteria":[]}`, "FilterCriteria", "want an object"},
		{`{"FilterCriteria":{"Filters":[{"Pattern":{"value":[1]}}]}}`, "FilterCriteria.Filters.Pattern", "want a string"},
		{`[]`, "the mapping", "want an object"},
		{`{"StartingPositionTimestamp":"yesterday"}`, "StartingPositionTimestamp", "RFC 3339"},
		{`{"StartingPositionTimestamp":true}`, "StartingPositionTimestamp", "seconds since the Unix epoch"},
		{`{"StartingPositionTimestamp":1700000000000}`, "StartingPositionTimestamp", "not milliseconds"},
		{`{"StartingPositionTimestamp":1e400}`, "StartingPositionTimestamp", "seconds since the Unix epoch"},
	}
	for _, test := range tests {
		m, err := Parse([]byte(test.json))
		var field *FieldError
		if !errors.As(err, &field) || field.Field != test.field || !strings.Contains(field.Reason, test.reason) {
			t.Errorf("%s: %v\nwant %s: … %s", test.json, err, test.field, test.reason)
		}
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v is not ErrInvalid", test.json, err)
		}
		if !reflect.DeepEqual(m, Mapping{}) {
			t.Errorf("%s: returned %+v", test.json, m)
		}
	}
	for _, document := range []string{``, `{`, `{} {}`, `nul`, `{"BatchSize":01}`} {
		_, err := Parse([]byte(document))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "not JSON, at byte") {
			t.Errorf("%q: %v", document, err)
		}
	}
}

// Parse names all unknown fields at once.
func TestParseMappingNamesEverything(t *testing.T) {
	_, err := Parse([]byte(`{"B":1,"A":2,"Tags":{"C":"free"},"BatchSize":true}`))
	for _, want := range []string{"esm: A: ", "esm: B: ", "esm: BatchSize: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
	if err != nil && strings.Contains(err.Error(), "C:") {
		t.Errorf("the name of a tag is free: %v", err)
	}
}

// json.Unmarshal is lenient: it ignores unknown names and keeps fields that are not named.
func TestMappingUnmarshalJSON(t *testing.T) {
	m := Mapping{FunctionName: "before", StartingPositionTimestamp: time.Unix(5, 0)}
	if err := json.Unmarshal([]byte(`{"BatchSize":7,"Unknown":{},"StartingPositionTimestamp":null}`), &m); err != nil {
		t.Fatal(err)
	}
	if m.FunctionName != "before" || m.BatchSize != 7 || !m.StartingPositionTimestamp.Equal(time.Unix(5, 0)) {
		t.Errorf("read %+v", m)
	}
	before := m
	if err := json.Unmarshal([]byte(`{"BatchSize":8,"Topics":1}`), &m); !errors.Is(err, ErrInvalid) {
		t.Errorf("error %v", err)
	}
	if !reflect.DeepEqual(m, before) {
		t.Errorf("changed to %+v", m)
	}
}

func TestEpochSeconds(t *testing.T) {
	tests := []struct {
		json string
		want time.Time
		out  string
	}{
		{`0`, time.Unix(0, 0), `0`},
		{`1700000000`, time.Unix(1700000000, 0), `1700000000`},
		{`1700000000.5`, time.Unix(1700000000, 5e8), `1700000000.5`},
		{`1700000000.123456789`, time.Unix(1700000000, 123456789), `1700000000.123456789`},
		{`1700000000.1234567891`, time.Unix(1700000000, 123456789), `1700000000.123456789`},
		{`1700000000.000`, time.Unix(1700000000, 0), `1700000000`},
		{`1.7e9`, time.Unix(1700000000, 0), `1700000000`},
		{`1e-999999999`, time.Unix(0, 0), `0`},
		{`-1.5`, time.Unix(-2, 5e8), `-1.5`},
		{`-0.25`, time.Unix(-1, 75e7), `-0.25`},
		{`"2023-11-14T22:13:20Z"`, time.Unix(1700000000, 0), `1700000000`},
	}
	for _, test := range tests {
		var got epochSeconds
		if err := json.Unmarshal([]byte(test.json), &got); err != nil {
			t.Errorf("%s: %v", test.json, err)
			continue
		}
		if !got.Equal(test.want) || got.Location() != time.UTC {
			t.Errorf("%s: read %v, want %v", test.json, got.Time, test.want)
		}
		if out, err := json.Marshal(got); err != nil || string(out) != test.out {
			t.Errorf("%s: written %s (%v), want %s", test.json, out, err, test.out)
		}
	}
}

func TestMappingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genMapping().Draw(t, "mapping")
		printed, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(printed)
		if err != nil {
			t.Fatalf("%v: %s", err, printed)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("parsed %+v\nwant %+v\nfrom %s", got, m, printed)
		}
	})
}

// No input causes a panic, and an accepted mapping marshals to a document that parses to the same mapping.
func FuzzParseMapping(f *testing.F) {
	f.Add(readTestdata(f, "create-request.json"))
	f.Add(readTestdata(f, "get-response.json"))
	f.Add([]byte(`{"Topics":["^a("],"StartingPositionTimestamp":-0.5,"Tags":{"":""},"MetricsConfig":{}}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		m, err := Parse(input)
		if err != nil {
			if !errors.Is(err, ErrInvalid) || err.Error() == "" {
				t.Fatalf("error %v", err)
			}
			return
		}
		_, _ = m.Validate(), m.ValidateStrict()
		printed, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("%v: %s", err, printed)
		}
		printedAgain, err := json.Marshal(again)
		if err != nil || !bytes.Equal(printed, printedAgain) {
			t.Fatalf("printed %s\nthen %s (%v)", printed, printedAgain, err)
		}
	})
}
