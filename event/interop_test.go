package event

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"
)

// A Lambda function in Go can read the events that we write.
func TestLambdaGoReadsOurs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		event := genEvent(false).Draw(t, "event")
		for _, records := range event.Records {
			for i := range records {
				records[i].Timestamp = rapid.Int64Range(-1, 1<<42).Draw(t, "timestamp")
			}
		}
		var got events.KafkaEvent
		if err := json.Unmarshal(event.AppendJSON(nil), &got); err != nil {
			t.Fatal(err)
		}
		if want := lambdaGo(event); !reflect.DeepEqual(got, want) {
			t.Fatalf("aws-lambda-go read\n%+v\nwant\n%+v", got, want)
		}
	})
}

// We can read aws-lambda-go's test event, and the events that it writes.
func TestReadsLambdaGo(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	sample, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "events", "testdata", "kafka-event.json"))
	if err != nil {
		t.Fatal(err)
	}
	var event KafkaEvent
	if err := json.Unmarshal(sample, &event); err != nil {
		t.Fatal(err)
	}
	if len(event.Records["AWSKafkaTopic-0"]) != 1 {
		t.Fatalf("read %+v", event)
	}
	record := event.Records["AWSKafkaTopic-0"][0]
	if string(record.Key) != "8d5596b4-1813-4238-b24b-6dad8e3d1c0c" || record.Timestamp != 1595035749700 ||
		!reflect.DeepEqual(record.Headers, []Header{{"headerKey", []byte{118, 220, 0, 127, 128}}}) {
		t.Errorf("read %+v", record)
	}
	var theirs events.KafkaEvent
	if err := json.Unmarshal(sample, &theirs); err != nil {
		t.Fatal(err)
	}
	if want := lambdaGo(event); !reflect.DeepEqual(theirs, want) {
		t.Errorf("aws-lambda-go read\n%+v\nwe read\n%+v", theirs, want)
	}
	written, err := json.Marshal(theirs)
	if err != nil {
		t.Fatal(err)
	}
	var again KafkaEvent
	if err := json.Unmarshal(written, &again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, event) {
		t.Errorf("read from what aws-lambda-go wrote\n%+v\nwant\n%+v", again, event)
	}
}

// lambdaGo builds aws-lambda-go's event from ours, like a program that marshals events.KafkaEvent.
func lambdaGo(e KafkaEvent) events.KafkaEvent {
	built := events.KafkaEvent{
		EventSource:      e.EventSource,
		EventSourceARN:   e.EventSourceARN,
		BootstrapServers: e.BootstrapServers,
		Records:          make(map[string][]events.KafkaRecord, len(e.Records)),
	}
	for key, records := range e.Records {
		list := make([]events.KafkaRecord, len(records))
		for i, r := range records {
			headers := make([]map[string]events.JSONNumberBytes, len(r.Headers))
			for j, h := range r.Headers {
				value := events.JSONNumberBytes(h.Value)
				if value == nil {
					value = events.JSONNumberBytes{}
				}
				headers[j] = map[string]events.JSONNumberBytes{h.Key: value}
			}
			list[i] = events.KafkaRecord{
				Topic:         r.Topic,
				Partition:     int64(r.Partition),
				Offset:        r.Offset,
				Timestamp:     events.MilliSecondsEpochTime{Time: time.UnixMilli(r.Timestamp)},
				TimestampType: r.TimestampType.String(),
				Key:           base64.StdEncoding.EncodeToString(r.Key),
				Value:         base64.StdEncoding.EncodeToString(r.Value),
				Headers:       headers,
			}
		}
		built.Records[key] = list
	}
	return built
}
