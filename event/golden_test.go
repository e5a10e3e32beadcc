package event

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// goldens are the events of testdata, in the form that Lambda's documentation shows.
func goldens() map[string]KafkaEvent {
	odd := "quote\"slash\\tab\tbell\a<&>é\uFFFD"
	return map[string]KafkaEvent{
		"documented.json": {
			EventSource: SourceSelfManagedKafka,
			BootstrapServers: "b-2.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092," +
				"b-1.demo-cluster-1.a1bcde.c1.kafka.us-east-1.amazonaws.com:9092",
			Records: map[string][]KafkaRecord{"mytopic-0": {{
				Topic: "mytopic", Offset: 15, Timestamp: 1545084650987,
				Key: []byte("abcDEF"), Value: []byte("Hello, this is a test."),
				Headers: []Header{{Key: "headerKey", Value: []byte("headerValue")}},
			}}},
		},
		"edges.json": {
			EventSource:      SourceSelfManagedKafka,
			BootstrapServers: "localhost:9092",
			Records: map[string][]KafkaRecord{
				"orders-2": {{
					Topic: "orders", Partition: 2, Offset: 7, Timestamp: 1700000000000,
					Key: []byte{0}, Value: []byte{0, 1},
					KeySchemaMetadata:   &SchemaMetadata{DataFormat: "AVRO", SchemaID: "1234"},
					ValueSchemaMetadata: &SchemaMetadata{DataFormat: "PROTOBUF", SchemaID: "5678"},
				}},
				"orders-10": {
					{
						Topic: "orders", Partition: 10, Offset: math.MaxInt64, Timestamp: -1,
						TimestampType: NoTimestampType, Value: []byte{},
					},
					{
						Topic: "orders", Partition: 10, TimestampType: LogAppendTime, Key: []byte{},
						Headers: []Header{
							{Key: "signed", Value: []byte{118, 220, 0, 127, 128, 255}},
							{Key: "twice", Value: []byte{}},
							{Key: "twice"},
							{Key: "", Value: []byte{9, 10, 99, 100, 247, 246, 157, 156}},
						},
					},
				},
				odd + "-0": {{
					Topic: odd, Offset: 1, Timestamp: 1, Value: []byte{255, 255, 255},
					Headers: []Header{{Key: "\b\f\r\n", Value: []byte(" ")}},
				}},
			},
		},
		"msk.json": {
			EventSource:      "aws:kafka",
			EventSourceARN:   "arn:aws:kafka:eu-central-1:123456789012:cluster/vpc/751d2973-a626-431c-9d4e-d7975eb44dd7-2",
			BootstrapServers: "b-1.demo:9098",
			Records: map[string][]KafkaRecord{"mytopic-0": {{
				Topic: "mytopic", Offset: 15, Timestamp: 1545084650987, Value: []byte("Hello"),
			}}},
		},
	}
}

func TestGolden(t *testing.T) {
	for name, event := range goldens() {
		t.Run(name, func(t *testing.T) {
			pretty, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, pretty); err != nil {
				t.Fatal(err)
			}
			if got := event.AppendJSON(nil); !bytes.Equal(got, want.Bytes()) {
				t.Errorf("AppendJSON:\n got %s\nwant %s", got, want.Bytes())
			}
			var decoded KafkaEvent
			if err := json.Unmarshal(pretty, &decoded); err != nil {
				t.Fatal(err)
			}
			if event = withoutNullHeaders(event); !reflect.DeepEqual(decoded, event) {
				t.Errorf("decoded:\n got %+v\nwant %+v", decoded, event)
			}
		})
	}
}

func TestAppendJSON(t *testing.T) {
	tests := []struct {
		name  string
		event KafkaEvent
		want  string
	}{
		{"zero", KafkaEvent{}, `{"eventSource":"","bootstrapServers":"","records":{}}`},
		{"empty partition", KafkaEvent{Records: map[string][]KafkaRecord{"a-0": nil}},
			`{"eventSource":"","bootstrapServers":"","records":{"a-0":[]}}`},
		{"bytes that are not UTF-8", KafkaEvent{EventSource: "a\xff\xfeb\xe2\x82"},
			`{"eventSource":"a` + "\uFFFD\uFFFD" + `b` + "\uFFFD\uFFFD" + `","bootstrapServers":"","records":{}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(test.event.AppendJSON([]byte("before"))); got != "before"+test.want {
				t.Errorf("got %s\nwant before%s", got, test.want)
			}
		})
	}
}

// A record whose topic or partition differs from its predecessor's must not reuse the predecessor's head.
func TestAppendJSONMixedPartition(t *testing.T) {
	records := []KafkaRecord{{Topic: "a"}, {Topic: "a"}, {Topic: "b"}, {Topic: "b", Partition: 1}, {Topic: "a", Partition: 1}}
	event := KafkaEvent{Records: map[string][]KafkaRecord{"a-0": records}}
	var decoded KafkaEvent
	if err := json.Unmarshal(event.AppendJSON(nil), &decoded); err != nil {
		t.Fatal(err)
	}
	if got := decoded.Records["a-0"]; !reflect.DeepEqual(got, records) {
		t.Errorf("got %+v\nwant %+v", got, records)
	}
}

func TestMarshal(t *testing.T) {
	event := goldens()["documented.json"]
	got, err := json.Marshal(struct {
		Event  KafkaEvent
		Record KafkaRecord
	}{event, event.Records["mytopic-0"][0]})
	if err != nil {
		t.Fatal(err)
	}
	record := event.Records["mytopic-0"][0]
	want := `{"Event":` + string(event.AppendJSON(nil)) + `,"Record":` + string(record.AppendJSON(nil)) + `}`
	if string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
