// Package sqs sends failures to an Amazon SQS queue, as AWS Lambda does: one message per failed batch, with metadata
// only. On a FIFO queue, the failure's first partition is the message group, and the failure's ID is the deduplication
// ID.
//
// The destination needs sqs:SendMessage on the queue, and kms:GenerateDataKey and kms:Decrypt for a customer managed
// key. Check also uses sqs:GetQueueAttributes, but passes if that is denied.
package sqs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/internal/awsconf"
)

// MaxMessageBytes is the maximum size of an SQS message with its attributes: 1 MiB.
const MaxMessageBytes = 1 << 20

// minMessageBytes is the smallest MaximumMessageSize that a queue can have.
const minMessageBytes = 1 << 10

// Option configures a Destination.
type Option func(*options)

type options struct {
	config *aws.Config
	url    string
	client []func(*awssqs.Options)
}

// WithConfig uses cfg instead of the SDK's default chain of credentials and configuration.
func WithConfig(cfg aws.Config) Option { return func(o *options) { o.config = &cfg } }

// WithQueueURL sets the queue's URL. By default it is built from the ARN, so no permission to look it up is needed.
func WithQueueURL(url string) Option { return func(o *options) { o.url = url } }

// WithClientOptions changes the SDK's client, for example its endpoint or HTTP client.
func WithClientOptions(change ...func(*awssqs.Options)) Option {
	return func(o *options) { o.client = append(o.client, change...) }
}

// Destination is a queue. It is safe for concurrent use.
type Destination struct {
	name   destination.Name
	url    string
	client *awssqs.Client
	// limit is the largest message size to try; it shrinks when the queue rejects a message for its length.
	limit atomic.Int64
}

var (
	_ destination.Destination = (*Destination)(nil)
	_ destination.Checker     = (*Destination)(nil)
)

// New returns the destination for a queue's ARN. It loads the SDK's configuration but makes no requests to SQS.
func New(ctx context.Context, arn string, opts ...Option) (*Destination, error) {
	name, err := destination.ParseName(arn)
	if err == nil && name.Kind != destination.SQS {
		err = errors.New("is not the ARN of a queue")
	}
	if err != nil {
		return nil, fmt.Errorf("destination/sqs: %q %w", arn, err)
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	cfg, err := awsconf.Load(ctx, o.config)
	if err != nil {
		return nil, fmt.Errorf("destination/sqs: %w", err)
	}
	d := &Destination{name: name, url: o.url}
	change := append([]func(*awssqs.Options){func(c *awssqs.Options) {
		c.Region = name.Region
		c.Retryer = awsconf.Retryer()
	}}, o.client...)
	d.client = awssqs.NewFromConfig(cfg, change...)
	if d.url == "" {
		host := "https://sqs." + name.Region + "." + awsconf.Suffix(name.Partition)
		if base := d.client.Options().BaseEndpoint; base != nil {
			host = strings.TrimSuffix(*base, "/")
		}
		d.url = host + "/" + name.Account + "/" + name.Resource
	}
	d.limit.Store(MaxMessageBytes)
	return d, nil
}

// String returns the queue's ARN.
func (d *Destination) String() string { return d.name.String() }

var hints = map[destination.Reason]string{
	destination.ReasonAccessDenied: "allow sqs:SendMessage on the queue, and kms:GenerateDataKey and kms:Decrypt on its key",
	destination.ReasonNotFound:     "create the queue, or fix the ARN",
}

// Send sends the failure as one message, or as several if one would be too long, and returns when all are acknowledged.
func (d *Destination) Send(ctx context.Context, f *destination.Failure) error {
	return awsconf.Explain(d.name.String(), d.send(ctx, f), hints)
}

func (d *Destination) send(ctx context.Context, f *destination.Failure) error {
	limit := d.limit.Load()
	for _, m := range f.Messages(int(limit)) {
		err := d.sendOne(ctx, m)
		if tooLong(err) && limit > minMessageBytes {
			// The queue has a lower MaximumMessageSize.
			d.limit.CompareAndSwap(limit, max(limit/2, minMessageBytes))
			err = d.send(ctx, m.Failure)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Destination) sendOne(ctx context.Context, m destination.Message) error {
	in := &awssqs.SendMessageInput{QueueUrl: &d.url, MessageBody: aws.String(string(m.Body)),
		MessageAttributes: make(map[string]types.MessageAttributeValue, len(m.Attributes))}
	for _, a := range m.Attributes {
		in.MessageAttributes[a.Name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &a.Value}
	}
	if d.name.FIFO() {
		in.MessageGroupId, in.MessageDeduplicationId = aws.String(group(m)), &m.ID
	}
	_, err := d.client.SendMessage(ctx, in)
	return err
}

// group truncates a message group to the 128 characters that SQS allows.
func group(m destination.Message) string {
	const most = 128
	if len(m.Group) > most {
		return m.Group[len(m.Group)-most:] // the partition is at the end
	}
	return m.Group
}

// tooLong reports whether the queue rejected a message for its length.
func tooLong(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	text := api.ErrorMessage()
	return strings.Contains(text, "Message must be shorter") || strings.Contains(text, "is too long") || api.ErrorCode() == "BatchRequestTooLong"
}

// Check fetches the queue's attributes, and adopts its MaximumMessageSize as the limit.
func (d *Destination) Check(ctx context.Context) error {
	out, err := d.client.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: &d.url,
		AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameMaximumMessageSize}})
	if err != nil {
		if err = awsconf.Explain(d.name.String(), err, hints); awsconf.Reason(err) == destination.ReasonAccessDenied {
			return nil // sending may still be allowed
		}
		return err
	}
	var size int64
	if _, err := fmt.Sscan(out.Attributes[string(types.QueueAttributeNameMaximumMessageSize)], &size); err == nil && size >= minMessageBytes {
		d.limit.Store(min(size, MaxMessageBytes))
	}
	return nil
}
