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

// attributeRun marks messages that a run put back, so that it does not read them again.
const attributeRun = "esm-run"

// QueueConfig configures how a queue of failures is read.
type QueueConfig struct {
	// AWS is the SDK's configuration. Its region is used if Queue is a URL.
	AWS aws.Config
	// Queue is the queue's ARN or URL.
	Queue string
	// Visibility is how long the queue hides received messages from other readers. It must be longer than a batch
	// takes. Default 15 minutes, 1 s to 12 hours.
	Visibility time.Duration
	// Wait is how long the queue must have nothing new before it counts as empty, rounded down to a multiple of 3 s, at
	// most 60 s. Default 3 s; negative means no wait.
	Wait time.Duration
	// Client changes the SDK's client.
	Client []func(*awssqs.Options)
}

type queueSource struct {
	client     *awssqs.Client
	url        string
	visibility int32
	wait       int32 // in seconds, for each of emptyAnswers receives
	run        string
	// open are messages that were read but not settled, by ID; passed are messages that were left in the queue.
	open, passed map[string]*types.Message
	ready        []*types.Message
	fifo         bool
}

// FromQueue opens a queue of failures: that of an SQS destination, or one that is subscribed to the topic of an SNS
// destination. It needs sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility on the queue,
// sqs:SendMessage for what fails again, and sqs:GetQueueAttributes for the total.
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

// Total returns the queue's own approximation.
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

// emptyAnswers is how many consecutive receives must return nothing new before the queue counts as empty: a queue is
// spread over many servers, and one receive does not cover all of them.
const emptyAnswers = 3

// Read receives the next messages, with up to n records. It returns io.EOF when the queue has nothing new.
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

// receive requests messages and returns how many of them are new.
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
			s.passed[id] = m // only the newest receipt handle is valid
			delete(s.open, id)
			continue
		}
		s.open[id] = m
		s.ready = append(s.ready, m)
		fresh++
	}
	return fresh, nil
}

// envelope is the notification in which SNS wraps a message.
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

// settle forgets a message that was read, and returns it with its newest receipt handle.
func (s *queueSource) settle(i *Item) *types.Message {
	m, _ := i.token.(*types.Message)
	id := aws.ToString(m.MessageId)
	if newer := s.passed[id]; newer != nil {
		m = newer // it was received again in the meantime
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
			// The handle is invalid if an earlier request deleted the message but its answer was lost. Or the message
			// is visible again, and will be received again.
			if aws.ToString(f.Code) != "ReceiptHandleIsInvalid" {
				return fmt.Errorf("%d of %d messages were not deleted: %s: %s", len(out.Failed), n, aws.ToString(f.Code), aws.ToString(f.Message))
			}
		}
		items = items[n:]
	}
	return nil
}

// Return sends the messages again, with their count increased, and then deletes the old ones.
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

// Release keeps the messages hidden until Close: if they were visible now, they would be received again.
func (s *queueSource) Release(_ context.Context, items []*Item) error {
	for _, i := range items {
		m := s.settle(i)
		s.passed[aws.ToString(m.MessageId)] = m
	}
	return nil
}

// Close makes visible again the messages that were read and left.
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
		// A message whose visibility timeout has passed is visible already.
		if _, err := s.client.ChangeMessageVisibilityBatch(ctx, &awssqs.ChangeMessageVisibilityBatchInput{QueueUrl: &s.url, Entries: entries[:n]}); err != nil {
			return fmt.Errorf("show %d messages again, which the queue otherwise does after their visibility timeout: %w", len(entries), err)
		}
		entries = entries[n:]
	}
	return nil
}
