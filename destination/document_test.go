package destination_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
)

// at parses a time from AWS's pages and returns it in milliseconds.
func at(t testing.TB, text string) int64 {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.UnixMilli()
}

// sqsFailure returns the failure of testdata/sqs.json.
func sqsFailure(t testing.TB) *destination.Failure {
	first, last := at(t, "2019-11-14T00:38:04.835Z"), at(t, "2019-11-14T00:38:05.580Z")
	return &destination.Failure{
		FunctionARN: "arn:aws:lambda:us-east-1:123456789012:function:myfunction", Condition: destination.RetryAttemptsExhausted,
		Invocations: 1, RequestID: "316aa6d0-8154-xmpl-9af7-85d5f4a6bc81",
		Response: &destination.Response{StatusCode: 200, ExecutedVersion: "$LATEST", FunctionError: "Unhandled"},
		Time:     time.UnixMilli(at(t, "2019-11-14T00:38:06.021Z")),
		Event: event.KafkaEvent{EventSource: "aws:kafka", BootstrapServers: "b-1:9092,b-2:9092",
			EventSourceARN: "arn:aws:kafka:us-east-1:123456789012:cluster/vpc-2priv-2pub/751d2973-a626-431c-9d4e-d7975eb44dd7-2",
			Records: map[string][]event.KafkaRecord{
				"Topic-0": {{Topic: "Topic", Offset: 7, Timestamp: first, Value: []byte("<a>")}, {Topic: "Topic", Offset: 9, Timestamp: last}},
				"Topic-1": {{Topic: "Topic", Partition: 1, Offset: 4960118965842235937, Timestamp: first, Key: []byte("k")},
					{Topic: "Topic", Partition: 1, Offset: 4960118965842235938, Timestamp: last, Headers: []event.Header{{Key: "h", Value: []byte{255}}}}},
				"Topic-2": {},
			}},
	}
}

func kafkaFailure(t testing.TB) *destination.Failure {
	return &destination.Failure{
		FunctionARN: "arn:aws:lambda:us-east-1:123456789012:function:my-function:$LATEST", Condition: destination.RetryAttemptsExhausted,
		Invocations: 3, RequestID: "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
		Response: &destination.Response{StatusCode: 200, ExecutedVersion: "$LATEST", FunctionError: "Unhandled"},
		Time:     time.UnixMilli(at(t, "2019-11-14T18:16:05.568Z")),
		Event: event.KafkaEvent{EventSource: "aws:kafka", BootstrapServers: "b-1.mycluster.abc123.kafka.us-east-1.amazonaws.com:9098",
			EventSourceARN: "arn:aws:kafka:us-east-1:123456789012:cluster/my-cluster/abc123",
			Records: map[string][]event.KafkaRecord{"my-topic-0": {{Topic: "my-topic", Offset: 100, Timestamp: 1749116692330,
				Key: []byte("test-key"), Value: []byte("test-value")}}}},
	}
}

// golden returns a document of testdata without whitespace.
func golden(t *testing.T, name string) []byte {
	t.Helper()
	pretty, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, pretty); err != nil {
		t.Fatal(err)
	}
	return compact.Bytes()
}

func TestGoldenDocuments(t *testing.T) {
	metadata := func(f *destination.Failure) []byte {
		doc, left := f.Metadata(0)
		if left != 0 {
			t.Errorf("%d partitions left out", left)
		}
		return doc
	}
	age := sqsFailure(t)
	age.Condition, age.Invocations = destination.RecordAgeExceeded, 8
	partial := sqsFailure(t)
	partial.Response.FunctionError, partial.Invocations = "", 4
	large := sqsFailure(t)
	large.Condition, large.Response, large.Invocations = destination.MaximumPayloadSizeExceeded, nil, 0
	for _, test := range []struct {
		name string
		got  []byte
	}{
		{"sqs", metadata(sqsFailure(t))},
		{"age", metadata(age)},
		{"partial", metadata(partial)},
		{"large", metadata(large)},
		{"kafka", kafkaFailure(t).RecordDocument()},
	} {
		if want := golden(t, test.name); !bytes.Equal(test.got, want) {
			t.Errorf("%s:\n got %s\nwant %s", test.name, test.got, want)
		}
	}
}

// TestDocumentOfBucket: the document has the metadata, followed by the event that the function got, as a string.
func TestDocumentOfBucket(t *testing.T) {
	f := sqsFailure(t)
	metadata := golden(t, "sqs")
	got := f.Document()
	head := metadata[:len(metadata)-1]
	rest, ok := bytes.CutPrefix(got, head)
	if !ok || !bytes.HasPrefix(rest, []byte(`,"payload":"{\"eventSource\":\"aws:kafka\"`)) {
		t.Fatalf("got %s", got)
	}
	var parsed struct{ Payload string }
	if err := json.Unmarshal(got, &parsed); err != nil {
		t.Fatal(err)
	}
	want := f.Event
	want.Records = map[string][]event.KafkaRecord{"Topic-0": f.Event.Records["Topic-0"], "Topic-1": f.Event.Records["Topic-1"], "Topic-2": {}}
	if parsed.Payload != string(want.AppendJSON(nil)) {
		t.Errorf("payload %s", parsed.Payload)
	}
	if size := fmt.Sprintf(`"payloadSize":%d,`, len(parsed.Payload)); !bytes.Contains(got, []byte(size)) {
		t.Errorf("want %s in %s", size, got)
	}
}

func TestParseWhatWasWritten(t *testing.T) {
	f := sqsFailure(t)
	delete(f.Event.Records, "Topic-2")
	for i := range f.Event.Records["Topic-0"] {
		f.Event.Records["Topic-0"][i].Headers = []event.Header{{Key: "a\"<", Value: nil}, {Key: "a", Value: []byte{0, 128}}}
		f.Event.Records["Topic-0"][i].KeySchemaMetadata = &event.SchemaMetadata{DataFormat: "AVRO", SchemaID: "7"}
	}
	metadata, _ := f.Metadata(0)
	bucket, err := destination.Parse(f.Document())
	if err != nil {
		t.Fatal(err)
	}
	queue, err := destination.Parse(metadata)
	if err != nil {
		t.Fatal(err)
	}
	ranges := map[string]destination.OffsetRun{"Topic-0": {First: 7, Last: 9}, "Topic-1": {First: 4960118965842235937, Last: 4960118965842235938}}
	want := destination.Document{RequestID: f.RequestID, FunctionARN: f.FunctionARN, Condition: f.Condition, Invocations: 1,
		Response: f.Response, Time: f.Time.UTC(), BatchSize: 4, EventSourceARN: f.Event.EventSourceARN,
		BootstrapServers: f.Event.BootstrapServers, PayloadSize: f.Event.Size(), Ranges: ranges}
	if !reflect.DeepEqual(*queue, want) {
		t.Errorf("queue: got %+v\nwant %+v", *queue, want)
	}
	want.Event = f.Event
	if got := normal(bucket.Event); !reflect.DeepEqual(got, normal(want.Event)) {
		t.Errorf("bucket: got %+v\nwant %+v", got, want.Event)
	}
	// The documents of a Kafka topic, one per record.
	for _, records := range f.Event.Records {
		for _, r := range records {
			doc, err := destination.Parse(f.One(r).RecordDocument())
			if err != nil {
				t.Fatal(err)
			}
			if got := doc.Event.Records[event.PartitionKey(r.Topic, r.Partition)]; len(got) != 1 || string(got[0].AppendJSON(nil)) != string(r.AppendJSON(nil)) {
				t.Errorf("got %+v, want %+v", got, r)
			}
			if doc.Condition != destination.RetryAttemptsExhausted || doc.BatchSize != 1 {
				t.Errorf("got %+v", doc)
			}
		}
	}
}

// normal returns the event's JSON, in which nil and empty headers are the same.
func normal(e event.KafkaEvent) string { return string(e.AppendJSON(nil)) }

func TestParseRefuses(t *testing.T) {
	for name, doc := range map[string]string{
		"no JSON":       `x`,
		"another thing": `{"Records":[]}`,
		"no records":    `{"requestContext":{"condition":"RetryAttemptsExhausted"},"timestamp":"2019-11-14T00:38:06.021Z","KafkaBatchInfo":{}}`,
		"no time":       `{"requestContext":{"condition":"x"},"KafkaBatchInfo":{"recordsInfo":{}}}`,
		"offsets":       `{"requestContext":{"condition":"x"},"timestamp":"2019-11-14T00:38:06.021Z","KafkaBatchInfo":{"recordsInfo":{"t-0":{"firstRecordOffset":"9","lastRecordOffset":"7"}}}}`,
		"payload":       `{"requestContext":{"condition":"x"},"timestamp":"2019-11-14T00:38:06.021Z","KafkaBatchInfo":{"recordInfo":{}},"payload":"{\"records\":1}"}`,
	} {
		if got, err := destination.Parse([]byte(doc)); err == nil || !strings.HasPrefix(err.Error(), "destination: ") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	failure := sqsFailure(f)
	metadata, _ := failure.Metadata(0)
	f.Add(metadata)
	f.Add(failure.Document())
	f.Add(kafkaFailure(f).RecordDocument())
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := destination.Parse(data)
		if (doc == nil) == (err == nil) {
			t.Errorf("%v, %v", doc, err)
		}
	})
}
