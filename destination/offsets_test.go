package destination_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
)

// genFailure generates failures of several partitions with gaps.
func genFailure(most int) *rapid.Generator[*destination.Failure] {
	return rapid.Custom(func(t *rapid.T) *destination.Failure {
		f := &destination.Failure{MappingUUID: "m", Condition: destination.RetryAttemptsExhausted,
			Event: event.KafkaEvent{Records: make(map[string][]event.KafkaRecord)}}
		for range rapid.IntRange(1, most).Draw(t, "partitions") {
			topic := rapid.StringMatching(`[a-z.-]{1,9}`).Draw(t, "topic")
			partition := rapid.Int32Range(0, 1000).Draw(t, "partition")
			offset := rapid.Int64Range(0, 1<<62).Draw(t, "first")
			var records []event.KafkaRecord
			for range rapid.IntRange(1, 20).Draw(t, "records") {
				records = append(records, event.KafkaRecord{Topic: topic, Partition: partition, Offset: offset, Timestamp: offset % 1e12})
				offset += rapid.SampledFrom([]int64{1, 1, 1, 2, 5, 1 << 40}).Draw(t, "step")
			}
			f.Event.Records[event.PartitionKey(topic, partition)] = records
		}
		return f
	})
}

func TestOffsetsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFailure(6).Draw(t, "failure")
		all := f.Offsets()
		text := destination.FormatOffsets(all)
		got, err := destination.ParseOffsets(text)
		if err != nil || !reflect.DeepEqual(got, all) {
			t.Fatalf("%q: %v, %v, want %v", text, got, err, all)
		}
		n := 0
		for _, o := range got {
			n += o.Len()
			records := f.Event.Records[o.Key()]
			for _, r := range records {
				if !o.Contains(r.Offset) {
					t.Fatalf("%d is not in %+v", r.Offset, o)
				}
			}
			if o.Contains(records[0].Offset-1) || o.Contains(records[len(records)-1].Offset+1) {
				t.Fatalf("%+v has what was not there", o)
			}
		}
		if n != f.Len() {
			t.Fatalf("%d offsets of %d records", n, f.Len())
		}
	})
}

func TestOffsetsText(t *testing.T) {
	f := &destination.Failure{Event: event.KafkaEvent{Records: map[string][]event.KafkaRecord{
		"orders-0": {{Topic: "orders", Offset: 5}, {Topic: "orders", Offset: 6}, {Topic: "orders", Offset: 7}, {Topic: "orders", Offset: 9}},
		"orders-2": {{Topic: "orders", Partition: 2, Offset: 1}}, "b-0": {{Topic: "b", Offset: 3}},
	}}}
	if got := destination.FormatOffsets(f.Offsets()); got != "b 0:3;orders 0:5-2,2 2:1" {
		t.Errorf("got %q", got)
	}
	for _, wrong := range []string{"", "t", "t 0", "t 0:", "t -1:3", "t 0:3-", "t 0:3,0", "t 0:x", "t 0:1 ", "t 9999999999:1", "t 0:9223372036854775807,1",
		"t 0:9223372036854775808", ";"} {
		if got, err := destination.ParseOffsets(wrong); err == nil {
			t.Errorf("ParseOffsets(%q) = %+v", wrong, got)
		}
	}
}

// TestMessagesFit: each message fits the limit, whatever it is, and together they name exactly the records of the
// failure.
func TestMessagesFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := genFailure(40).Draw(t, "failure")
		limit := rapid.IntRange(900, 6000).Draw(t, "limit")
		var got []destination.Offsets
		ids := make(map[string]bool)
		for _, m := range f.Messages(limit) {
			size := len(m.Body)
			for _, a := range m.Attributes {
				size += len(a.Name) + len("String") + len(a.Value)
				if a.Name == destination.AttributeOffsets {
					offsets, err := destination.ParseOffsets(a.Value)
					if err != nil {
						t.Fatal(err)
					}
					for _, o := range offsets {
						if n := len(got); n > 0 && got[n-1].Topic == o.Topic && got[n-1].Partition == o.Partition {
							got[n-1].Runs = join(got[n-1].Runs, o.Runs)
						} else {
							got = append(got, o)
						}
					}
				}
			}
			if size > limit {
				t.Fatalf("%d bytes of %d: %s %v", size, limit, m.Body, m.Attributes)
			}
			if _, err := destination.Parse(m.Body); err != nil {
				t.Fatal(err)
			}
			if ids[m.ID] {
				t.Fatalf("the id %s twice", m.ID)
			}
			ids[m.ID] = true
		}
		want := make(map[string]destination.Offsets)
		for _, o := range f.Offsets() {
			want[o.Key()] = o
		}
		for _, o := range got {
			if !reflect.DeepEqual(want[o.Key()], o) {
				t.Fatalf("got %+v, want %+v", o, want[o.Key()])
			}
			delete(want, o.Key())
		}
		if len(want) > 0 {
			t.Fatalf("not named: %v", want)
		}
	})
}

func join(a, b []destination.OffsetRun) []destination.OffsetRun {
	if len(a) > 0 && a[len(a)-1].Last+1 == b[0].First {
		a[len(a)-1].Last = b[0].Last
		b = b[1:]
	}
	return append(a, b...)
}

func TestShortenedDocumentSaysSo(t *testing.T) {
	f := &destination.Failure{Condition: destination.RetryAttemptsExhausted, Event: event.KafkaEvent{Records: make(map[string][]event.KafkaRecord)}}
	for i := range int32(100) {
		f.Event.Records[event.PartitionKey("orders", i)] = []event.KafkaRecord{{Topic: "orders", Partition: i, Offset: 3}}
	}
	messages := f.Messages(4000)
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	doc, err := destination.Parse(messages[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	left := ""
	for _, a := range messages[0].Attributes {
		if a.Name == destination.AttributeShortened {
			left = a.Value
		}
	}
	if doc.BatchSize != 100 || len(doc.Ranges) < 10 || len(doc.Ranges) >= 100 || left == "" || !strings.Contains(string(messages[0].Body), `"batchSize":100`) {
		t.Errorf("%d of 100 partitions named, %q left", len(doc.Ranges), left)
	}
}

func TestID(t *testing.T) {
	f := sqsFailure(t)
	id := f.ID()
	same := sqsFailure(t)
	same.Time, same.Condition, same.Invocations, same.RequestID = same.Time.Add(5), destination.RecordAgeExceeded, 9, "x"
	if same.ID() != id || len(id) != 36 || id[14] != '5' {
		t.Errorf("%s, %s", id, same.ID())
	}
	seen := map[string]string{id: "the failure"}
	for name, change := range map[string]func(*destination.Failure){
		"mapping": func(f *destination.Failure) { f.MappingUUID = "other" },
		"redrives": func(f *destination.Failure) {
			r := &f.Event.Records["Topic-0"][0]
			r.Headers = append(slices.Clone(r.Headers), event.Header{Key: destination.AttributeRedrives, Value: []byte("1")})
		},
		"fewer":  func(f *destination.Failure) { delete(f.Event.Records, "Topic-1") },
		"offset": func(f *destination.Failure) { f.Event.Records["Topic-0"][0].Offset++ },
		"made again": func(f *destination.Failure) { // a recreated topic has the same offsets
			f.Event.Records["Topic-0"][0].Timestamp++
		},
	} {
		f := sqsFailure(t)
		change(f)
		if before, taken := seen[f.ID()]; taken {
			t.Errorf("%s has the id of %s", name, before)
		}
		seen[f.ID()] = name
	}
}

func TestParseName(t *testing.T) {
	for name, want := range map[string]destination.Name{
		"kafka://failed": {Kind: destination.Kafka, Resource: "failed"},
		"arn:aws:sqs:eu-central-1:012345678901:q.fifo":    {Kind: destination.SQS, Partition: "aws", Region: "eu-central-1", Account: "012345678901", Resource: "q.fifo"},
		"arn:aws-cn:sns:cn-north-1:012345678901:t":        {Kind: destination.SNS, Partition: "aws-cn", Region: "cn-north-1", Account: "012345678901", Resource: "t"},
		"arn:aws-us-gov:sqs:us-gov-west-1:012345678901:q": {Kind: destination.SQS, Partition: "aws-us-gov", Region: "us-gov-west-1", Account: "012345678901", Resource: "q"},
		"arn:aws:s3:::my.bucket":                          {Kind: destination.S3, Partition: "aws", Resource: "my.bucket"},
	} {
		got, err := destination.ParseName(name)
		if err != nil || got != want || got.String() != name {
			t.Errorf("ParseName(%q) = %+v, %v", name, got, err)
		}
	}
	for name, why := range map[string]string{
		"":          "must be kafka://topic",
		"kafka://":  "names the topic",
		"kafka://.": "names the topic", "kafka://a/b": "names the topic", "kafka://" + strings.Repeat("t", 250): "names the topic",
		"https://sqs.eu-central-1.amazonaws.com/1/q":           "must be kafka://topic",
		"arn:aws:lambda:eu-central-1:012345678901:function:f":  `service "lambda"`,
		"arn:aws:kafka:eu-central-1:012345678901:cluster/c/id": `service "kafka"`,
		"arn:aws:sqs:eu-central-1:01234567890:q":               "12 digits",
		"arn:aws:sqs::012345678901:q":                          "has the region",
		"arn:aws:sqs:eu-central-1:012345678901:q/r":            "names the queue",
		"arn:aws:sns:eu-central-1:012345678901:t:subscription": "names the topic",
		"arn:aws:sqs:eu-central-1:q":                           "not an ARN",
		"arn:aws:s3:eu-central-1:012345678901:b":               "arn:aws:s3:::BUCKET",
		"arn:aws:s3:::bucket/prefix":                           "a bucket alone",
		"arn:aws:s3:::B":                                       "names the bucket",
		"arn:azure:sqs:eu-central-1:012345678901:q":            "not an ARN",
		"arn:aws:s3:::" + strings.Repeat("b", 338):             "350",
	} {
		if got, err := destination.ParseName(name); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("ParseName(%q) = %+v, %v, want %q", name, got, err, why)
		}
	}
}
