package redrive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/uuid"

	"github.com/esm-go/esm/destination"
)

// attributeRun marks what a run put back, so that it does not read it again.
const attributeRun = "esm-run"

// QueueConfig says how a queue of failures is read.
type QueueConfig struct {
	// AWS is the SDK's configuration. Its region is the queue's where ARN or URL name none.
	AWS aws.Config
	// Queue is the queue's ARN or URL.
	Queue string
	// Visibility is how long the queue hides what was read from other readers: longer than a batch takes. Default 15
	// minutes, at most 12 hours.
	Visibility time.Duration
	// Wait is how long the queue may have nothing new before it counts as empty, in steps of 3 s; default 3 s, negative =
	// not at all.
	Wait time.Duration
	// Client changes the SDK's client.
	Client []func(*awssqs.Options)
}

type queueSource struct {
	client     *awssqs.Client
	url        string
	visibility int32
	wait       int32 // seconds, of each of emptyAnswers
	run        string
	// open are messages that were read and not settled, by their ids; passed are those that were left.
	open, passed map[string]*types.Message
	ready        []*types.Message
	fifo         bool
}

// FromQueue opens a queue of failures: of an SQS destination, or one that is subscribed to an SNS destination's topic.
// It needs sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility on the queue, sqs:SendMessage for what
// fails again and, for the count, sqs:GetQueueAttributes.
func FromQueue(_ context.Context, config QueueConfig) (Source, error) {
	s := &queueSource{run: uuid.NewString(), open: make(map[string]*types.Message), passed: make(map[string]*types.Message)}
	if config.Visibility == 0 {
		config.Visibility = 15 * time.Minute
	}
	if config.Visibility < time.Second || config.Visibility > 12*time.Hour {
		return nil, fmt.Errorf("redrive: Visibility is %s: 1 s to 12 h are allowed", config.Visibility)
	}
	s.visibility = int32(config.Visibility / time.Second)
	if config.Wait == 0 {
		config.Wait = emptyAnswers * time.Second
	}
	s.wait = min(max(int32(config.Wait/time.Second/emptyAnswers), 0), 20)
	var name destination.Name
	change := config.Client
	if strings.HasPrefix(config.Queue, "arn:") {
		var err error
		if name, err = destination.ParseName(config.Queue); err == nil && name.Kind != destination.SQS {
			err = errors.New("is not the ARN of a queue")
		}
		if err != nil {
			return nil, fmt.Errorf("redrive: %q %w", config.Queue, err)
		}
		change = append([]func(*awssqs.Options){func(o *awssqs.Options) { o.Region = name.Region }}, config.Client...)
	} else if !strings.HasPrefix(config.Queue, "https://") && !strings.HasPrefix(config.Queue, "http://") {
		return nil, fmt.Errorf("redrive: %q is neither the ARN nor the URL of a queue", config.Queue)
	}
	s.client = awssqs.NewFromConfig(config.AWS, change...)
	s.url = config.Queue
	if name.Kind == destination.SQS {
		host := "https://sqs." + name.Region + ".amazonaws.com"
		if strings.HasPrefix(name.Partition, "aws-cn") {
			host += ".cn"
		}
		if base := s.client.Options().BaseEndpoint; base != nil {
			host = strings.TrimSuffix(*base, "/")
		}
		s.url = host + "/" + name.Account + "/" + name.Resource
	}
	s.fifo = strings.HasSuffix(s.url, ".fifo")
	return s, nil
}

// Total asks for the queue's own approximation.
func (s *queueSource) Total(ctx context.Context) int64 {
	const name = types.QueueAttributeNameApproximateNumberOfMessages
	out, err := s.client.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: &s.url, AttributeNames: []types.QueueAttributeName{name}})
	if err != nil {
		return -1
	}
	n, err := strconv.ParseInt(out.Attributes[string(name)], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// emptyAnswers is how many times running the queue says that it has nothing new before that is believed: a queue is
// spread over many machines, of which an answer does not cover all.
const emptyAnswers = 3

// Read receives the next messages, as many as there are up to n records. The queue is at its end when it has nothing new.
func (s *queueSource) Read(ctx context.Context, n int) ([]*Item, error) {
	var items []*Item
	for empty, records := 0, 0; records < n; {
		if len(s.ready) == 0 {
			fresh, err := s.receive(ctx, len(items) == 0)
			if err != nil {
				return nil, err
			}
			if fresh == 0 {
				if empty++; empty >= emptyAnswers || len(items) > 0 {
					break
				}
				continue
			}
			empty = 0
		}
		items = append(items, itemOf(s.ready[0]))
		records += max(items[len(items)-1].Len(), 1)
		s.ready = s.ready[1:]
	}
	if len(items) == 0 {
		return nil, io.EOF
	}
	return items, nil
}

// receive asks for messages and returns how many of them are new.
func (s *queueSource) receive(ctx context.Context, wait bool) (fresh int, err error) {
	in := &awssqs.ReceiveMessageInput{QueueUrl: &s.url, MaxNumberOfMessages: 10, VisibilityTimeout: s.visibility,
		MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameMessageGroupId}}
	if wait {
		in.WaitTimeSeconds = s.wait
	}
	out, err := s.client.ReceiveMessage(ctx, in)
	if err != nil {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return 0, err
	}
	for i := range out.Messages {
		m := &out.Messages[i]
		id := aws.ToString(m.MessageId)
		if s.open[id] != nil || s.passed[id] != nil || aws.ToString(m.MessageAttributes[attributeRun].StringValue) == s.run {
			s.passed[id] = m // the newest handle is the one that counts
			delete(s.open, id)
			continue
		}
		s.open[id] = m
		s.ready = append(s.ready, m)
		fresh++
	}
	return fresh, nil
}

// envelope is what SNS puts around a message.
type envelope struct {
	Type              string
	Message           *string
	MessageAttributes map[string]struct{ Value string }
}

func itemOf(m *types.Message) *Item {
	i := &Item{Where: aws.ToString(m.MessageId), token: m}
	body := aws.ToString(m.Body)
	attributes := make(map[string]string)
	var e envelope
	if json.Unmarshal([]byte(body), &e) == nil && e.Type == "Notification" && e.Message != nil {
		body = *e.Message
		for name, a := range e.MessageAttributes {
			attributes[name] = a.Value
		}
	}
	for name, a := range m.MessageAttributes {
		attributes[name] = aws.ToString(a.StringValue)
	}
	i.read([]byte(body), attributes)
	return i
}

// settle forgets a message that was read.
func (s *queueSource) settle(i *Item) *types.Message {
	m, _ := i.token.(*types.Message)
	id := aws.ToString(m.MessageId)
	if newer := s.passed[id]; newer != nil {
		m = newer // it was received once more meanwhile
	}
	delete(s.open, id)
	delete(s.passed, id)
	return m
}

// Done deletes the messages.
func (s *queueSource) Done(ctx context.Context, items []*Item) error {
	for len(items) > 0 {
		n := min(len(items), 10)
		var entries []types.DeleteMessageBatchRequestEntry
		for k, i := range items[:n] {
			m := s.settle(i)
			entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(k)), ReceiptHandle: m.ReceiptHandle})
		}
		out, err := s.client.DeleteMessageBatch(ctx, &awssqs.DeleteMessageBatchInput{QueueUrl: &s.url, Entries: entries})
		if err != nil {
			return err
		}
		for _, f := range out.Failed {
			// With an invalid handle it was deleted by a request whose answer was lost, or it is shown again and comes again.
			if aws.ToString(f.Code) != "ReceiptHandleIsInvalid" {
				return fmt.Errorf("%d of %d messages were not deleted: %s: %s", len(out.Failed), n, aws.ToString(f.Code), aws.ToString(f.Message))
			}
		}
		items = items[n:]
	}
	return nil
}

// Return sends the messages once more, with their count, and then deletes the old ones.
func (s *queueSource) Return(ctx context.Context, items []*Item) error {
	for _, i := range items {
		m, _ := i.token.(*types.Message)
		in := &awssqs.SendMessageInput{QueueUrl: &s.url, MessageBody: m.Body, MessageAttributes: make(map[string]types.MessageAttributeValue)}
		maps.Copy(in.MessageAttributes, m.MessageAttributes)
		text := func(name, value string) {
			in.MessageAttributes[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
		}
		text(destination.AttributeRedrives, strconv.Itoa(i.Redrives+1))
		text(attributeRun, s.run)
		if s.fifo {
			in.MessageGroupId = aws.String(m.Attributes[string(types.MessageSystemAttributeNameMessageGroupId)])
			in.MessageDeduplicationId = aws.String(i.ID + "-" + strconv.Itoa(i.Redrives+1))
		}
		if _, err := s.client.SendMessage(ctx, in); err != nil {
			return err
		}
	}
	return s.Done(ctx, items)
}

// Release keeps the messages for Close: were they shown now, they would be read again.
func (s *queueSource) Release(_ context.Context, items []*Item) error {
	for _, i := range items {
		m := s.settle(i)
		s.passed[aws.ToString(m.MessageId)] = m
	}
	return nil
}

// Close shows again what was read and left.
func (s *queueSource) Close(ctx context.Context) error {
	var entries []types.ChangeMessageVisibilityBatchRequestEntry
	for _, kept := range []map[string]*types.Message{s.passed, s.open} {
		for _, m := range kept {
			entries = append(entries, types.ChangeMessageVisibilityBatchRequestEntry{Id: aws.String(strconv.Itoa(len(entries))),
				ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0})
		}
	}
	for len(entries) > 0 {
		n := min(len(entries), 10)
		// One whose time was over is shown already.
		if _, err := s.client.ChangeMessageVisibilityBatch(ctx, &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: &s.url, Entries: entries[:n]}); err != nil {
			return fmt.Errorf("show %d messages again, which the queue else does after their visibility timeout: %w", len(entries), err)
		}
		entries = entries[n:]
	}
	return nil
}
