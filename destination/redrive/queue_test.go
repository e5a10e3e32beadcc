package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/redrive"
	"github.com/esm-go/esm/destination/sns"
	"github.com/esm-go/esm/destination/sqs"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/awstest"
	"github.com/esm-go/esm/internal/kafkatest"
)

func openQueue(t *testing.T, cfg aws.Config, name string) redrive.Source {
	t.Helper()
	s, err := redrive.FromQueue(t.Context(), redrive.QueueConfig{AWS: cfg, Queue: name, Wait: -1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestQueue: the failures name their records, with gaps; what fails again stays in the queue with its count.
func TestQueue(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		for _, fifo := range []bool{false, true} {
			c := kafkatest.Fake(t).Client
			_, records := produced(t, c, 60)
			var attributes map[string]string
			if fifo {
				attributes = map[string]string{"FifoQueue": "true"}
			}
			arn, url := awstest.Queue(t, cfg, attributes)
			to, err := sqs.New(t.Context(), arn, sqs.WithConfig(cfg))
			if err != nil {
				t.Fatal(err)
			}
			var want []event.KafkaRecord
			for i := 0; i < 60; i += 6 { // of six records one was handled and one filtered out
				batch := []event.KafkaRecord{records[i], records[i+1], records[i+3], records[i+4]}
				want = append(want, batch...)
				sendAll(t, to, failureOf(batch...))
			}
			l := log{fails: func(r event.KafkaRecord) bool { return string(r.Key) == "key-18" }}
			o := redrive.Options{Records: redrive.NewReader(connection(c)), BatchSize: 12}
			// By ID: the SDK retries if a double did not answer, and then a failure has two messages.
			outcomes := make(map[redrive.Outcome]map[string]int)
			count := func(o redrive.Outcome) int { return len(outcomes[o]) }
			step := func(o redrive.Options) {
				t.Helper()
				clear(outcomes)
				o.OnItem = func(s redrive.Settled) {
					if outcomes[s.Outcome] == nil {
						outcomes[s.Outcome] = make(map[string]int)
					}
					outcomes[s.Outcome][s.ID] = s.Redrives
				}
				if _, err := run(t, openQueue(t, cfg, arn), redrive.Handler(l.handle), o); err != nil {
					t.Error(err)
				}
			}
			if step(redrive.Options{DryRun: true}); count(redrive.Redriven) != 10 || len(l.got) > 0 {
				t.Errorf("dry: %v", outcomes)
			}
			if step(o); count(redrive.Redriven) != 9 || count(redrive.Returned) != 1 {
				t.Errorf("first: %v", outcomes)
			}
			l.fails = nil
			if step(o); count(redrive.Redriven) != 1 || outcomes[redrive.Redriven][failureOf(records[18], records[19], records[21], records[22]).ID()] != 1 {
				t.Errorf("mended: %v", outcomes)
			}
			l.has(t, want...)
			if report, err := run(t, openQueue(t, cfg, url), redrive.Handler(l.handle), o); err != nil || report.Read() != 0 {
				t.Errorf("at the end: %+v, %v", report, err)
			}
		}
	})
}

// TestQueueInterrupted: two of three runs are stopped; nothing is lost.
func TestQueueInterrupted(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		const n = 10_000
		c := kafkatest.Fake(t).Client
		_, records := produced(t, c, n)
		arn, _ := awstest.Queue(t, cfg, nil)
		to, err := sqs.New(t.Context(), arn, sqs.WithConfig(cfg))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < n; i += 100 {
			sendAll(t, to, failureOf(records[i:i+100]...))
		}
		var l log
		for _, stop := range []int{n / 3, 2 * n / 3, 0} {
			ctx, cancel := context.WithCancel(t.Context())
			l.after = func(taken int) {
				if stop > 0 && taken >= stop {
					cancel()
				}
			}
			source := openQueue(t, cfg, arn)
			_, err := redrive.Run(ctx, source, redrive.Handler(l.handle), redrive.Options{Records: redrive.NewReader(connection(c)), BatchSize: 1000})
			if stop > 0 && !errors.Is(err, context.Canceled) || stop == 0 && err != nil {
				t.Error(err)
			}
			if err := source.Close(context.Background()); err != nil {
				t.Error(err)
			}
			cancel()
		}
		l.has(t, records...)
	})
}

// TestQueueOfTopic: in a queue subscribed to the SNS destination, each failure has SNS's envelope.
func TestQueueOfTopic(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		c := kafkatest.Fake(t).Client
		_, records := produced(t, c, 4)
		arn, url := awstest.Queue(t, cfg, nil)
		topics := awssns.NewFromConfig(cfg)
		made, err := topics.CreateTopic(t.Context(), &awssns.CreateTopicInput{Name: aws.String(awstest.Name(t))})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := topics.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: made.TopicArn, Protocol: aws.String("sqs"), Endpoint: &arn}); err != nil {
			t.Fatal(err)
		}
		to, err := sns.New(t.Context(), *made.TopicArn, sns.WithConfig(cfg))
		if err != nil {
			t.Fatal(err)
		}
		sendAll(t, to, failureOf(records[0], records[3]))
		var l log
		report, err := run(t, openQueue(t, cfg, url), redrive.Handler(l.handle), redrive.Options{Records: redrive.NewReader(connection(c))})
		if err != nil || report.Records < 2 {
			t.Errorf("%+v, %v", report, err)
		}
		l.has(t, records[0], records[3])
	})
}

// TestWhatRetentionTook also covers the documents of AWS Lambda, which name ranges.
func TestWhatRetentionTook(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		c := kafkatest.Fake(t).Client
		topic, records := produced(t, c, 20)
		c.DeleteRecords(t, topic, map[int32]int64{0: 5})
		_, url := awstest.Queue(t, cfg, nil)
		send := func(f *destination.Failure) {
			body, _ := f.Metadata(0)
			if _, err := awssqs.NewFromConfig(cfg).SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(string(body))}); err != nil {
				t.Fatal(err)
			}
		}
		send(failureOf(records[2], records[4]))                         // offsets 1 and 2: gone
		send(failureOf(records[8], records[10], records[12]))           // 4, 5 and 6: one of them gone
		send(failureOf(records[14], records[18]))                       // 7 and 9: the gap may have been handled
		send(failureOf(records[1], records[3], records[5], records[7])) // all still there
		var l log
		outcomes := make(map[redrive.Outcome]int)
		o := redrive.Options{Records: redrive.NewReader(connection(c)), OnItem: func(s redrive.Settled) { outcomes[s.Outcome] += max(s.Gone, 1) }}
		report, err := run(t, openQueue(t, cfg, url), redrive.Handler(l.handle), o)
		if err != nil || report.RecordsGone < 3 || report.Records < 6 || outcomes[redrive.Gone] < 2 || outcomes[redrive.Inexact] < 1 || outcomes[redrive.Redriven] < 2 {
			t.Errorf("%+v, %v, %v", report, err, outcomes)
		}
		l.has(t, records[10], records[12], records[1], records[3], records[5], records[7])
		// Failures that cannot be brought back stay in the queue for a person to look at.
		if report, err := run(t, openQueue(t, cfg, url), redrive.Handler(l.handle), o); err != nil || report.Failures[redrive.Gone] < 1 || report.Failures[redrive.Inexact] < 1 {
			t.Errorf("left: %+v, %v", report, err)
		}
		if _, err := run(t, openQueue(t, cfg, url), redrive.Handler(l.handle), redrive.Options{}); err == nil || !strings.Contains(err.Error(), "only name their records") {
			t.Errorf("without a reader: %v", err)
		}
	})
}

// TestReader: it reads records among transactions, in the order of their offsets, and none from a deleted topic.
func TestReader(t *testing.T) {
	c := kafkatest.Fake(t).Client
	topic, records := produced(t, c, 40)
	reader := redrive.NewReader(connection(c))
	got, err := reader.Fetch(t.Context(), []destination.Offsets{
		{Topic: topic, Partition: 0, Runs: []destination.OffsetRun{{First: 3, Last: 5}, {First: 9, Last: 9}}},
		{Topic: topic, Partition: 0, Runs: []destination.OffsetRun{{First: 0, Last: 0}, {First: 100, Last: 200}}},
		{Topic: topic, Partition: 7, Runs: []destination.OffsetRun{{First: 0, Last: 0}}},
		{Topic: "missing", Partition: 0, Runs: []destination.OffsetRun{{First: 0, Last: 0}}},
	})
	var offsets []string
	for _, r := range got {
		offsets = append(offsets, fmt.Sprint(r.Offset))
		if string(r.AppendJSON(nil)) != string(records[2*r.Offset].AppendJSON(nil)) {
			t.Errorf("got %s", r.AppendJSON(nil))
		}
	}
	if err != nil || strings.Join(offsets, " ") != "0 3 4 5 9" {
		t.Errorf("%v, %v", offsets, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	away := connection(c)
	away.BootstrapServers = []string{"127.0.0.1:1"}
	if _, err := redrive.NewReader(away).Fetch(ctx, []destination.Offsets{{Topic: topic, Runs: []destination.OffsetRun{{}}}}); err == nil {
		t.Error("no error from a cluster that is not there")
	}
}

func TestQueueRefuses(t *testing.T) {
	for name, config := range map[string]redrive.QueueConfig{
		"neither":       {Queue: "failed"},
		"not the ARN":   {Queue: "arn:aws:s3:::bucket"},
		"1 s to 12 h":   {Queue: "https://q", Visibility: 13 * time.Hour},
		"is not an ARN": {Queue: "arn:aws"},
	} {
		if _, err := redrive.FromQueue(t.Context(), config); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v", config, err)
		}
	}
}
