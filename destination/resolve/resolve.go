// Package resolve creates the destination that DestinationConfig.OnFailure.Destination names: an SQS queue, an SNS
// topic or an S3 bucket by its ARN, or kafka://topic on the mapping's own cluster.
//
// It is separate from package destination so that only programs that import it link the AWS SDK.
package resolve

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/kafka"
	"github.com/esm-go/esm/destination/s3"
	"github.com/esm-go/esm/destination/sns"
	"github.com/esm-go/esm/destination/sqs"
	"github.com/esm-go/esm/driver"
)

// Option configures a Resolver.
type Option func(*Resolver)

// WithAWS uses cfg instead of the SDK's default chain, which is loaded each time an ARN is resolved.
func WithAWS(cfg aws.Config) Option { return func(r *Resolver) { r.aws = &cfg } }

// WithPathStyle makes S3 requests address buckets by path (https://host/bucket/key), as most S3-compatible stores need.
func WithPathStyle() Option { return func(r *Resolver) { r.pathStyle = true } }

// WithS3 passes options to every bucket, for example for encryption.
func WithS3(opts ...s3.Option) Option { return func(r *Resolver) { r.s3 = append(r.s3, opts...) } }

// WithKafka sets the driver that writes kafka://topic. If cluster is not nil, it replaces the mapping's cluster.
// Without WithKafka, kafka:// is not resolved.
func WithKafka(d driver.Driver, cluster *driver.ProducerConfig) Option {
	return func(r *Resolver) { r.driver, r.cluster = d, cluster }
}

// Resolver is a destination.Resolver. It is safe for concurrent use.
type Resolver struct {
	aws       *aws.Config
	pathStyle bool
	s3        []s3.Option
	driver    driver.Driver
	cluster   *driver.ProducerConfig
}

var _ destination.Resolver = (*Resolver)(nil)

// New returns a Resolver.
func New(opts ...Option) *Resolver {
	r := new(Resolver)
	for _, opt := range opts {
		opt(r)
	}
	return r
}

// Resolve creates the destination for a name.
func (r *Resolver) Resolve(ctx context.Context, name string, source destination.Source) (destination.Destination, error) {
	parsed, err := destination.ParseName(name)
	if err != nil {
		return nil, fmt.Errorf("destination %q %w", name, err)
	}
	switch parsed.Kind {
	case destination.SQS:
		var opts []sqs.Option
		if r.aws != nil {
			opts = append(opts, sqs.WithConfig(*r.aws))
		}
		return orNil(sqs.New(ctx, name, opts...))
	case destination.SNS:
		var opts []sns.Option
		if r.aws != nil {
			opts = append(opts, sns.WithConfig(*r.aws))
		}
		return orNil(sns.New(ctx, name, opts...))
	case destination.S3:
		opts := slices.Clip(r.s3)
		if r.aws != nil {
			opts = append(opts, s3.WithConfig(*r.aws))
		}
		if r.pathStyle {
			opts = append(opts, s3.WithClientOptions(func(o *awss3.Options) { o.UsePathStyle = true }))
		}
		return orNil(s3.New(ctx, name, opts...))
	case destination.Kafka:
		return r.kafka(name, source)
	}
	return nil, fmt.Errorf("%w: %q", destination.ErrNotResolved, name)
}

func (r *Resolver) kafka(name string, source destination.Source) (destination.Destination, error) {
	if r.driver == nil {
		return nil, fmt.Errorf("%w: %q needs resolve.WithKafka", destination.ErrNotResolved, name)
	}
	if r.cluster != nil {
		return orNil(kafka.New(r.driver, name, *r.cluster))
	}
	return orNil(kafka.New(r.driver, name, driver.ProducerConfig{BootstrapServers: source.BootstrapServers, ClientID: source.ClientID,
		Credentials: source.Credentials, Dialer: source.Dialer, Logger: source.Logger}, kafka.WithSource(source.Topics...)))
}

// orNil avoids a nil pointer inside a non-nil Destination.
func orNil[D destination.Destination](d D, err error) (destination.Destination, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}
