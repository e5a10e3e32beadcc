// Package s3 writes failures to an Amazon S3 bucket, as AWS Lambda does: one object per failed batch, with the whole
// event in it.
//
// The key of an object is
//
//	aws/lambda/<UUID>/<topic-partition>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<id>
//
// AWS documents this form for streams and none for Kafka. The partition is the failure's first in byte order, the time
// is that of its newest record in UTC, and the ID is the failure's. All of them stay the same when a failure is sent
// again, even after a crash. The object is written only if the key does not exist yet, so there is one object per
// failure.
//
// The destination needs s3:PutObject on the bucket's objects, and kms:GenerateDataKey for a customer managed key. Check
// also uses s3:ListBucket, but passes if that is denied.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/internal/awsconf"
)

// Option configures a Destination.
type Option func(*options)

type options struct {
	config *aws.Config
	client []func(*awss3.Options)
	prefix string
	owner  string
	put    []func(*awss3.PutObjectInput)
}

// WithConfig uses cfg instead of the SDK's default chain of credentials and configuration. Its region must be the
// bucket's.
func WithConfig(cfg aws.Config) Option { return func(o *options) { o.config = &cfg } }

// WithClientOptions changes the SDK's client, for example its endpoint, path-style addressing or region.
func WithClientOptions(change ...func(*awss3.Options)) Option {
	return func(o *options) { o.client = append(o.client, change...) }
}

// WithPrefix adds a prefix to every key, such as "failures/". AWS uses none.
func WithPrefix(prefix string) Option { return func(o *options) { o.prefix = prefix } }

// WithEncryption sets how S3 encrypts the objects, and with which KMS key (empty: the default key). Without it, the
// bucket's own setting applies.
func WithEncryption(encryption types.ServerSideEncryption, kmsKeyID string) Option {
	return func(o *options) {
		o.put = append(o.put, func(in *awss3.PutObjectInput) {
			in.ServerSideEncryption = encryption
			if kmsKeyID != "" {
				in.SSEKMSKeyId = &kmsKeyID
			}
		})
	}
}

// WithExpectedOwner makes S3 reject requests if the bucket belongs to another account.
func WithExpectedOwner(account string) Option {
	return func(o *options) {
		o.owner = account
		o.put = append(o.put, func(in *awss3.PutObjectInput) { in.ExpectedBucketOwner = &account })
	}
}

// Destination is a bucket. It is safe for concurrent use.
type Destination struct {
	arn, bucket string
	options     options
	client      *awss3.Client
}

var (
	_ destination.Destination = (*Destination)(nil)
	_ destination.Checker     = (*Destination)(nil)
)

// New returns the destination for a bucket's ARN. It loads the SDK's configuration but makes no requests to S3.
func New(ctx context.Context, arn string, opts ...Option) (*Destination, error) {
	name, err := destination.ParseName(arn)
	if err == nil && name.Kind != destination.S3 {
		err = errors.New("is not the ARN of a bucket")
	}
	if err != nil {
		return nil, fmt.Errorf("destination/s3: %q %w", arn, err)
	}
	d := &Destination{arn: arn, bucket: name.Resource}
	for _, opt := range opts {
		opt(&d.options)
	}
	cfg, err := awsconf.Load(ctx, d.options.config)
	if err != nil {
		return nil, fmt.Errorf("destination/s3: %w", err)
	}
	change := append([]func(*awss3.Options){func(c *awss3.Options) { c.Retryer = awsconf.Retryer() }}, d.options.client...)
	d.client = awss3.NewFromConfig(cfg, change...)
	if d.client.Options().Region == "" {
		return nil, fmt.Errorf("destination/s3: %q names no region: set AWS_REGION, or Region with WithConfig, to the bucket's", arn)
	}
	return d, nil
}

// String returns the bucket's ARN.
func (d *Destination) String() string { return d.arn }

var hints = map[destination.Reason]string{
	destination.ReasonAccessDenied: "allow s3:PutObject on the bucket's objects, and kms:GenerateDataKey on its key",
	destination.ReasonNotFound:     "create the bucket, or fix the ARN",
	destination.ReasonInvalid:      "the configuration's region must be the bucket's",
}

// maxMetadata is the most user-defined metadata that S3 stores with an object, in bytes.
const maxMetadata = 2 << 10

// Key returns the key of a failure's object.
func (d *Destination) Key(f *destination.Failure) string { return d.options.prefix + key(f) }

func key(f *destination.Failure) string {
	mapping := f.MappingUUID
	if mapping == "" {
		mapping = "unknown"
	}
	partition := "none"
	if keys := f.Partitions(); len(keys) > 0 {
		partition = keys[0]
	}
	at := f.Last().UTC()
	if f.Last().IsZero() {
		at = f.Time.UTC()
	}
	return fmt.Sprintf("aws/lambda/%s/%s/%s/%s-%s", mapping, partition, at.Format("2006/01/02"), at.Format("2006-01-02T15.04.05"), f.ID())
}

// Send writes the failure's object. If the object exists, an earlier Send wrote it, and this Send succeeds.
func (d *Destination) Send(ctx context.Context, f *destination.Failure) error {
	in := &awss3.PutObjectInput{Bucket: &d.bucket, Key: aws.String(d.Key(f)), Body: bytes.NewReader(f.Document()),
		ContentType: aws.String("application/json"), IfNoneMatch: aws.String("*"), Metadata: make(map[string]string)}
	size := 0
	for _, a := range f.Attributes() {
		if size += len(a.Name) + len(a.Value); size <= maxMetadata {
			in.Metadata[a.Name] = a.Value
		}
	}
	for _, change := range d.options.put {
		change(in)
	}
	_, err := d.client.PutObject(ctx, in)
	if is(err, "NotImplemented") && in.IfNoneMatch != nil {
		// Some S3-compatible stores do not support conditions. The key is the same each time, so one object remains
		// anyway.
		in.IfNoneMatch = nil
		in.Body = bytes.NewReader(f.Document())
		_, err = d.client.PutObject(ctx, in)
	}
	if is(err, "PreconditionFailed") {
		return nil
	}
	return awsconf.Explain(d.arn, err, hints)
}

// Check asks whether the bucket exists.
func (d *Destination) Check(ctx context.Context) error {
	in := &awss3.HeadBucketInput{Bucket: &d.bucket}
	if d.options.owner != "" {
		in.ExpectedBucketOwner = &d.options.owner
	}
	_, err := d.client.HeadBucket(ctx, in)
	if err = awsconf.Explain(d.arn, err, hints); awsconf.Reason(err) == destination.ReasonAccessDenied {
		return nil // writing may still be allowed
	}
	return err
}

func is(err error, code string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == code
}
