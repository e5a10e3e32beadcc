package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/redrive"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/kafkatest"
)

func open(t *testing.T, c *kafkatest.Client, topic string, change ...func(*redrive.TopicConfig)) redrive.Source {
	t.Helper()
	config := redrive.TopicConfig{Connection: connection(c), Topic: topic}
	for _, f := range change {
		f(&config)
	}
	s, err := redrive.FromTopic(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTopic(t *testing.T) {
	c := kafkatest.Fake(t).Client
	var records []event.KafkaRecord
	var failures []*destination.Failure
	for i := range 250 {
		records = append(records, record("orders", i))
		failures = append(failures, failureOf(records[i]))
	}
	failures = append(failures, failures[0]) // sent twice
	topic := deadLetters(t, c, 3, failures...)
	var l log
	source := open(t, c, topic)
	if n := source.Total(t.Context()); n != 251 {
		t.Errorf("Total %d", n)
	}
	report, err := run(t, source, redrive.Handler(l.handle), redrive.Options{BatchSize: 40})
	if err != nil || report.Failures[redrive.Redriven] != 251 || report.Read() != 251 || report.Conditions[destination.RetryAttemptsExhausted] != 251 {
		t.Errorf("%+v, %v", report, err)
	}
	l.has(t, records...)
	for _, n := range l.batches {
		if n > 40 {
			t.Errorf("batches of %v", l.batches)
		}
	}
	// There is nothing left to bring back.
	if report, err := run(t, open(t, c, topic), redrive.Handler(l.handle), redrive.Options{}); err != nil || report.Read() != 0 {
		t.Errorf("again: %+v, %v", report, err)
	}
	// Another group starts from the beginning; a dry run stores no progress.
	for range 2 {
		other := open(t, c, topic, func(c *redrive.TopicConfig) { c.Group = "other" })
		if report, err := run(t, other, redrive.Handler(l.handle), redrive.Options{DryRun: true}); err != nil || report.Failures[redrive.Redriven] != 251 {
			t.Errorf("dry: %+v, %v", report, err)
		}
	}
}

// TestPoisonGoesBack: what fails again is at the end of the topic with its count, and is not read twice in a run.
func TestPoisonGoesBack(t *testing.T) {
	c := kafkatest.Fake(t).Client
	var records []event.KafkaRecord
	var failures []*destination.Failure
	for i := range 60 {
		records = append(records, record("orders", i))
		failures = append(failures, failureOf(records[i]))
	}
	topic := deadLetters(t, c, 1, failures...)
	poison := func(r event.KafkaRecord) bool { return r.Offset == 7 || r.Offset == 8 && r.Partition == 1 }
	l := log{fails: poison}
	var whys []string
	o := redrive.Options{OnItem: func(s redrive.Settled) {
		if s.Outcome == redrive.Returned {
			whys = append(whys, fmt.Sprint(s.Why, " ", s.Redrives))
		}
	}}
	report, err := run(t, open(t, c, topic), redrive.Handler(l.handle), o)
	if err != nil || report.Failures[redrive.Redriven] != 57 || report.Failures[redrive.Returned] != 3 || fmt.Sprint(whys) != "[poison 0 poison 0 poison 0]" {
		t.Errorf("%+v, %v, %q", report, err, whys)
	}
	whys = nil
	if report, err = run(t, open(t, c, topic), redrive.Handler(l.handle), o); err != nil || report.Failures[redrive.Returned] != 3 || report.Read() != 3 || fmt.Sprint(whys) != "[poison 1 poison 1 poison 1]" {
		t.Errorf("again: %+v, %v, %q", report, err, whys)
	}
	// This filter does not choose failures that came back twice.
	limited := redrive.Filter{MaxRedrives: 2}
	report, err = run(t, open(t, c, topic, func(c *redrive.TopicConfig) { c.Filter, c.Group = limited, "esm-redrive-"+topic }), redrive.Handler(l.handle), redrive.Options{Filter: limited})
	if err != nil || report.Failures[redrive.PassedOver] != 3 {
		t.Errorf("limited: %+v, %v", report, err)
	}
	// Once fixed, the rest succeeds.
	l.fails = nil
	if report, err = run(t, open(t, c, topic, func(c *redrive.TopicConfig) { c.Group = "mended" }), redrive.Handler(l.handle), redrive.Options{}); err != nil || report.Failures[redrive.Returned] != 0 {
		t.Errorf("mended: %+v, %v", report, err)
	}
	l.has(t, records...)
}

// interrupted redrives a topic of n dead letters in three runs, two of which are interrupted.
func interrupted(t *testing.T, c *kafkatest.Client, n int) {
	t.Helper()
	var records []event.KafkaRecord
	var failures []*destination.Failure
	for i := range n {
		records = append(records, record("orders", i))
		if i%50 == 0 {
			failures = append(failures, failureOf())
		}
		f := failures[len(failures)-1]
		key := event.PartitionKey("orders", records[i].Partition)
		f.Event.Records[key] = append(f.Event.Records[key], records[i])
	}
	topic := deadLetters(t, c, 4, failures...)
	var l log
	for k, stop := range []int{n / 3, 2 * n / 3, 0} {
		ctx, cancel := context.WithCancelCause(t.Context())
		interrupt := errors.New("interrupted")
		l.after = func(taken int) {
			if stop > 0 && taken >= stop {
				cancel(interrupt)
			}
		}
		source := open(t, c, topic)
		report, err := redrive.Run(ctx, source, redrive.Handler(l.handle), redrive.Options{})
		if stop > 0 && !errors.Is(err, interrupt) || stop == 0 && err != nil {
			t.Errorf("run %d: %+v, %v", k, report, err)
		}
		if stop > 0 && report.Records < n/4 {
			t.Errorf("run %d: %+v", k, report)
		}
		cancel(nil)
		if err := source.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	l.has(t, records...)
	for r, times := range l.got {
		if times > 1 {
			t.Errorf("%d times: %s", times, r)
		}
	}
}

func TestInterrupted(t *testing.T) { interrupted(t, kafkatest.Fake(t).Client, 1000) }

func TestKafkaInterrupted(t *testing.T) { interrupted(t, brokers.Cluster(t).Client, 10_000) }

// TestCrash: a run that crashes loses nothing: what it had not settled is brought back again.
func TestCrash(t *testing.T) {
	c := kafkatest.Fake(t).Client
	var records []event.KafkaRecord
	var failures []*destination.Failure
	for i := range 100 {
		records = append(records, record("orders", i))
		failures = append(failures, failureOf(records[i]))
	}
	topic := deadLetters(t, c, 2, failures...)
	broken := &breaking{Source: open(t, c, topic), left: 3}
	var l log
	_, err := redrive.Run(t.Context(), broken, redrive.Handler(l.handle), redrive.Options{BatchSize: 10})
	if !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	_ = broken.Close(context.Background())
	if _, err := run(t, open(t, c, topic), redrive.Handler(l.handle), redrive.Options{BatchSize: 10}); err != nil {
		t.Error(err)
	}
	l.has(t, records...)
	twice := 0
	for _, times := range l.got {
		twice += times - 1
	}
	if twice != 10 {
		t.Errorf("%d records came twice, want the batch that was not kept", twice)
	}
}

var errBroken = errors.New("broken")

// breaking is a source that stops being able to store the outcome.
type breaking struct {
	redrive.Source

	left int
}

func (b *breaking) Done(ctx context.Context, items []*redrive.Item) error {
	if b.left--; b.left < 0 {
		return errBroken
	}
	return b.Source.Done(ctx, items)
}

func TestFilter(t *testing.T) {
	c := kafkatest.Fake(t).Client
	old, aged := failureOf(record("orders", 1)), failureOf(record("orders", 2))
	old.Time = time.UnixMilli(1_600_000_000_000)
	aged.Condition = destination.RecordAgeExceeded
	topic := deadLetters(t, c, 1, failureOf(record("orders", 0)), old, aged, failureOf(record("orders", 3)))
	c.Produce(t, &kgo.Record{Topic: topic, Value: []byte("what else people put into topics")})
	for name, test := range map[string]struct {
		filter redrive.Filter
		want   []int
	}{
		"all":       {redrive.Filter{}, []int{0, 1, 2, 3}},
		"condition": {redrive.Filter{Conditions: []destination.Condition{destination.RecordAgeExceeded}}, []int{2}},
		"since":     {redrive.Filter{Since: time.UnixMilli(1_700_000_000_000)}, []int{0, 2, 3}},
		"until":     {redrive.Filter{Until: time.UnixMilli(1_700_000_000_000)}, []int{1}},
		"keys":      {redrive.Filter{Keys: [][]byte{[]byte("key-3"), []byte("key-9")}}, []int{3}},
		"pattern":   {redrive.Filter{Patterns: []string{`{"value":{"n":[{"numeric":["<",2]}]}}`}}, []int{0, 1}},
		"both":      {redrive.Filter{Keys: [][]byte{[]byte("key-3")}, Patterns: []string{`{"value":{"n":[1]}}`}}, nil},
	} {
		var l log
		source := open(t, c, topic, func(c *redrive.TopicConfig) { c.Filter = test.filter })
		report, err := run(t, source, redrive.Handler(l.handle), redrive.Options{Filter: test.filter})
		if err != nil || report.Failures[redrive.Unreadable] != 1 || report.Failures[redrive.PassedOver] != 4-len(test.want) {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
		var want []event.KafkaRecord
		for _, i := range test.want {
			want = append(want, record("orders", i))
		}
		l.has(t, want...)
	}
}

func TestToTopic(t *testing.T) {
	c := kafkatest.Fake(t).Client
	source, records := produced(t, c, 6)
	topic := deadLetters(t, c, 1, failureOf(records[1]), failureOf(records[4]))
	producer, err := franz.Driver().(driver.ProducerDriver).OpenProducer(connection(c))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = producer.Close(context.Background()) }()
	if report, err := run(t, open(t, c, topic), redrive.ToTopic(producer, "", true), redrive.Options{}); err != nil || report.Records != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	got, err := redrive.NewReader(connection(c)).Fetch(t.Context(), []destination.Offsets{
		{Topic: source, Partition: 1, Runs: []destination.OffsetRun{{First: 3, Last: 3}}},
		{Topic: source, Partition: 0, Runs: []destination.OffsetRun{{First: 3, Last: 3}}}})
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	for _, r := range got {
		want := records[4]
		if r.Partition == 1 {
			want = records[1]
		}
		want.Offset = 3
		want.Headers = append(slices.Clone(want.Headers), event.Header{Key: destination.AttributeRedrives, Value: []byte("1")})
		if string(r.AppendJSON(nil)) != string(want.AppendJSON(nil)) {
			t.Errorf("got %s\nwant %s", r.AppendJSON(nil), want.AppendJSON(nil))
		}
	}
}

func TestRefuses(t *testing.T) {
	c := kafkatest.Fake(t).Client
	if _, err := redrive.FromTopic(t.Context(), redrive.TopicConfig{Connection: connection(c), Topic: "missing"}); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("a missing topic: %v", err)
	}
	topic := c.NewTopic(t, 1)
	for name, o := range map[string]redrive.Options{
		"BatchSize": {BatchSize: 10_001}, "Rate": {Rate: -1},
		"Invalid filter pattern definition": {Filter: redrive.Filter{Patterns: []string{"{"}}},
	} {
		if _, err := run(t, open(t, c, topic), nil, o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
