package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/sqs"
	"github.com/esm-go/esm/internal/awstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receive reads and deletes the messages of a queue.
func receive(t *testing.T, cfg aws.Config, url string) []types.Message {
	t.Helper()
	client := awssqs.NewFromConfig(cfg)
	var all []types.Message
	for {
		out, err := client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10,
			MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return all
		}
		for _, m := range out.Messages {
			if _, err := client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, out.Messages...)
	}
}

func open(t *testing.T, cfg aws.Config, arn string, opts ...sqs.Option) *sqs.Destination {
	t.Helper()
	d, err := sqs.New(t.Context(), arn, append([]sqs.Option{sqs.WithConfig(cfg)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func attribute(m types.Message, name string) string {
	return aws.ToString(m.MessageAttributes[name].StringValue)
}

func TestSend(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		arn, url := awstest.Queue(t, cfg, nil)
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
		if want, _ := f.Metadata(0); *got[0].Body != string(want) {
			t.Errorf("got %s\nwant %s", *got[0].Body, want)
		}
		if attribute(got[0], "esm-id") != f.ID() || attribute(got[0], "esm-mapping") != f.MappingUUID || attribute(got[0], "esm-offsets") != "orders 0:5,2 1:5" {
			t.Errorf("attributes %v", got[0].MessageAttributes)
		}
	})
}

// TestFIFO: a failure that is sent twice is in the queue once, and the partition is the group.
func TestFIFO(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		arn, url := awstest.Queue(t, cfg, map[string]string{"FifoQueue": "true"})
		d := open(t, cfg, arn)
		f := awstest.Failure(1)
		for range 2 {
			if err := d.Send(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		got := receive(t, cfg, url)
		if len(got) != 1 || got[0].Attributes["MessageGroupId"] != "orders-0" || got[0].Attributes["MessageDeduplicationId"] != f.ID() {
			t.Errorf("%d messages: %+v", len(got), got)
		}
	})
}

// TestLongDocument: the document of a failure with many partitions is shortened to the limit of a message, or of this
// queue.
func TestLongDocument(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		const partitions = 9000 // of 140 bytes each
		for _, limit := range []int{0, 20_000} {
			for _, check := range []bool{false, true} {
				attributes := map[string]string{}
				if limit > 0 {
					attributes["MaximumMessageSize"] = fmt.Sprint(limit)
				}
				arn, url := awstest.Queue(t, cfg, attributes)
				d := open(t, cfg, arn)
				if check {
					if err := d.Check(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				f := awstest.Failure(partitions)
				if err := d.Send(t.Context(), f); err != nil {
					t.Fatal(err)
				}
				seen, ids := 0, make(map[string]bool)
				messages := receive(t, cfg, url)
				for _, m := range messages {
					if id := attribute(m, "esm-id"); ids[id] {
						continue // the SDK retried because its connection broke
					}
					ids[attribute(m, "esm-id")] = true
					offsets, err := destination.ParseOffsets(attribute(m, "esm-offsets"))
					if err != nil {
						t.Fatal(err)
					}
					for _, o := range offsets {
						seen += o.Len()
					}
				}
				if seen != partitions+1 || limit == 0 && len(ids) != 1 || attribute(messages[0], "esm-shortened") == "" {
					t.Errorf("limit %d, check %t: %d offsets in %d messages", limit, check, seen, len(messages))
				}
			}
		}
	})
}

func TestMissingQueue(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		arn, _ := awstest.Queue(t, cfg, nil)
		d := open(t, cfg, arn+"-missing")
		for name, err := range map[string]error{"Send": d.Send(t.Context(), awstest.Failure(1)), "Check": d.Check(t.Context())} {
			var e *destination.Error
			if !errors.As(err, &e) || e.Reason != destination.ReasonNotFound || e.Destination != arn+"-missing" || !strings.Contains(err.Error(), "create the queue") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestFaults: after each class of fault the failure is acknowledged; a lost answer causes a second message with the
// same ID.
func TestFaults(t *testing.T) {
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		arn, url := awstest.Queue(t, cfg, nil)
		denied := awstest.Fault{Status: http.StatusForbidden, Body: `{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}`}
		throttled := awstest.Fault{Status: http.StatusBadRequest, Body: `{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slow down"}`}
		faulty, _ := awstest.WithFaults(t, cfg, denied, throttled, throttled, throttled,
			awstest.Fault{Status: http.StatusServiceUnavailable}, awstest.Fault{Status: http.StatusServiceUnavailable}, awstest.Fault{Lost: true})
		var reasons []destination.Reason
		s := destination.NewSender(open(t, faulty, arn), destination.SenderConfig{MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond,
			OnError: func(e destination.DeliveryError) {
				if explained, ok := errors.AsType[*destination.Error](e.Err); ok {
					reasons = append(reasons, explained.Reason)
				}
				if strings.Contains(e.Err.Error(), "s3cr3t") {
					t.Errorf("a secret in %v", e.Err)
				}
			}})
		f := awstest.Failure(1)
		answer := make(chan error, 1)
		s.Send(t.Context(), f, func(err error) { answer <- err })
		if err := <-answer; err != nil {
			t.Fatal(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		for _, want := range []destination.Reason{destination.ReasonAccessDenied, destination.ReasonThrottled, destination.ReasonUnavailable} {
			if !slices.Contains(reasons, want) {
				t.Errorf("reasons %v, want %s among them", reasons, want)
			}
		}
		got := receive(t, cfg, url)
		if len(got) != 2 || attribute(got[0], "esm-id") != f.ID() || attribute(got[1], "esm-id") != f.ID() {
			t.Errorf("%d messages", len(got))
		}
	})
}

func TestSendEndsWithItsContext(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	defer server.Close()
	defer close(hang)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := open(t, awstest.Config(t, server.URL), "arn:aws:sqs:eu-central-1:012345678901:q").Send(ctx, awstest.Failure(1))
	var e *destination.Error
	if !errors.As(err, &e) || e.Reason != destination.ReasonUnavailable {
		t.Errorf("%v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, name := range []string{"kafka://t", "arn:aws:sns:eu-central-1:012345678901:t", "arn:aws:sqs:eu-central-1:q"} {
		if _, err := sqs.New(t.Context(), name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New(%q): %v", name, err)
		}
	}
}
