package sns_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/sns"
	"github.com/esm-go/esm/internal/awstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// subscribed creates a topic with a subscribed queue.
func subscribed(t *testing.T, cfg aws.Config, fifo bool) (arn, url string) {
	t.Helper()
	name, topicAttributes, queueAttributes := awstest.Name(t), map[string]string{}, map[string]string{}
	if fifo {
		name += ".fifo"
		topicAttributes["FifoTopic"], queueAttributes["FifoQueue"] = "true", "true"
	}
	topics := awssns.NewFromConfig(cfg)
	queue, url := awstest.Queue(t, cfg, queueAttributes)
	topic, err := topics.CreateTopic(t.Context(), &awssns.CreateTopicInput{Name: &name, Attributes: topicAttributes})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := topics.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &queue}); err != nil {
		t.Fatal(err)
	}
	return *topic.TopicArn, url
}

// envelope is what SNS wraps around a message for SQS.
type envelope struct {
	Message           string
	MessageAttributes map[string]struct{ Value string }
}

func receive(t *testing.T, cfg aws.Config, url string) []envelope {
	t.Helper()
	var all []envelope
	for {
		out, err := awssqs.NewFromConfig(cfg).ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 1, WaitTimeSeconds: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return all
		}
		for _, m := range out.Messages {
			var e envelope
			if err := json.Unmarshal([]byte(*m.Body), &e); err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
			if _, err := awssqs.NewFromConfig(cfg).DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func open(t *testing.T, cfg aws.Config, arn string) *sns.Destination {
	t.Helper()
	d, err := sns.New(t.Context(), arn, sns.WithConfig(cfg))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSend(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		arn, url := subscribed(t, cfg, false)
		d := open(t, cfg, arn)
		if err := d.Check(t.Context()); err != nil {
			t.Error(err)
		}
		f := awstest.Failure(2)
		if err := d.Send(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		got := receive(t, cfg, url)
		if len(got) != 1 {
			t.Fatalf("%d messages", len(got))
		}
		if want, _ := f.Metadata(0); got[0].Message != string(want) {
			t.Errorf("got %s\nwant %s", got[0].Message, want)
		}
		if a := got[0].MessageAttributes; a["esm-id"].Value != f.ID() || a["esm-offsets"].Value != "orders 0:5,2 1:5" {
			t.Errorf("attributes %v", a)
		}
	})
}

func TestFIFO(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		arn, url := subscribed(t, cfg, true)
		d := open(t, cfg, arn)
		for range 2 {
			if err := d.Send(t.Context(), awstest.Failure(1)); err != nil {
				t.Fatal(err)
			}
		}
		if got := receive(t, cfg, url); len(got) != 1 {
			t.Errorf("%d messages of a failure that was sent twice", len(got))
		}
	})
}

// TestLongDocument: 3,000 partitions exceed 256 KiB.
func TestLongDocument(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		arn, url := subscribed(t, cfg, false)
		if err := open(t, cfg, arn).Send(t.Context(), awstest.Failure(3000)); err != nil {
			t.Fatal(err)
		}
		got := receive(t, cfg, url)
		if len(got) != 1 || got[0].MessageAttributes["esm-shortened"].Value == "" {
			t.Fatalf("%d messages", len(got))
		}
		offsets, err := destination.ParseOffsets(got[0].MessageAttributes["esm-offsets"].Value)
		if err != nil || len(offsets) != 3000 {
			t.Errorf("%d partitions, %v", len(offsets), err)
		}
	})
}

func TestMissingTopic(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		arn, _ := subscribed(t, cfg, false)
		d := open(t, cfg, arn+"-missing")
		for name, err := range map[string]error{"Send": d.Send(t.Context(), awstest.Failure(1)), "Check": d.Check(t.Context())} {
			var e *destination.Error
			if !errors.As(err, &e) || e.Reason != destination.ReasonNotFound || !strings.Contains(err.Error(), "create the topic") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for _, name := range []string{"kafka://t", "arn:aws:sqs:eu-central-1:012345678901:q", "x"} {
		if _, err := sns.New(t.Context(), name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New(%q): %v", name, err)
		}
	}
}
