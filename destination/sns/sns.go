// Package sns sends failures to an Amazon SNS topic, as AWS Lambda does: one message per failed batch, with metadata
// only. On a FIFO topic, the failure's first partition is the message group, and the failure's ID is the deduplication
// ID.
//
// The destination needs sns:Publish on the topic, and kms:GenerateDataKey and kms:Decrypt for a customer managed key.
// Check also uses sns:GetTopicAttributes, but passes if that is denied.
package sns

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/internal/awsconf"
)

// MaxMessageBytes is the maximum size of an SNS message with its attributes: 256 KiB.
const MaxMessageBytes = 256 << 10

// Option configures a Destination.
type Option func(*options)

type options struct {
	config *aws.Config
	client []func(*awssns.Options)
}

// WithConfig uses cfg instead of the SDK's default chain of credentials and configuration.
func WithConfig(cfg aws.Config) Option { return func(o *options) { o.config = &cfg } }

// WithClientOptions changes the SDK's client, for example its endpoint or HTTP client.
func WithClientOptions(change ...func(*awssns.Options)) Option {
	return func(o *options) { o.client = append(o.client, change...) }
}

// Destination is a topic. It is safe for concurrent use.
type Destination struct {
	name   destination.Name
	arn    string
	client *awssns.Client
}

var (
	_ destination.Destination = (*Destination)(nil)
	_ destination.Checker     = (*Destination)(nil)
)

// New returns the destination for a topic's ARN. It loads the SDK's configuration but makes no requests to SNS.
func New(ctx context.Context, arn string, opts ...Option) (*Destination, error) {
	name, err := destination.ParseName(arn)
	if err == nil && name.Kind != destination.SNS {
		err = errors.New("is not the ARN of an SNS topic")
	}
	if err != nil {
		return nil, fmt.Errorf("destination/sns: %q %w", arn, err)
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	cfg, err := awsconf.Load(ctx, o.config)
	if err != nil {
		return nil, fmt.Errorf("destination/sns: %w", err)
	}
	change := append([]func(*awssns.Options){func(c *awssns.Options) {
		c.Region = name.Region
		c.Retryer = awsconf.Retryer()
	}}, o.client...)
	return &Destination{name: name, arn: arn, client: awssns.NewFromConfig(cfg, change...)}, nil
}

// String returns the topic's ARN.
func (d *Destination) String() string { return d.arn }

var hints = map[destination.Reason]string{
	destination.ReasonAccessDenied: "allow sns:Publish on the topic, and kms:GenerateDataKey and kms:Decrypt on its key",
	destination.ReasonNotFound:     "create the topic, or fix the ARN",
}

// Send publishes the failure as one message, or as several if one would be too long, and returns when all are
// acknowledged.
func (d *Destination) Send(ctx context.Context, f *destination.Failure) error {
	for _, m := range f.Messages(MaxMessageBytes) {
		in := &awssns.PublishInput{TopicArn: &d.arn, Message: aws.String(string(m.Body)),
			MessageAttributes: make(map[string]types.MessageAttributeValue, len(m.Attributes))}
		for _, a := range m.Attributes {
			in.MessageAttributes[a.Name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &a.Value}
		}
		if d.name.FIFO() {
			in.MessageGroupId, in.MessageDeduplicationId = aws.String(group(m)), &m.ID
		}
		if _, err := d.client.Publish(ctx, in); err != nil {
			return awsconf.Explain(d.arn, err, hints)
		}
	}
	return nil
}

// group truncates a message group to the 128 characters that SNS allows.
func group(m destination.Message) string {
	const most = 128
	if len(m.Group) > most {
		return m.Group[len(m.Group)-most:] // the partition is at the end
	}
	return m.Group
}

// Check asks whether the topic exists.
func (d *Destination) Check(ctx context.Context) error {
	_, err := d.client.GetTopicAttributes(ctx, &awssns.GetTopicAttributesInput{TopicArn: &d.arn})
	if err = awsconf.Explain(d.arn, err, hints); awsconf.Reason(err) == destination.ReasonAccessDenied {
		return nil // publishing may still be allowed
	}
	return err
}
