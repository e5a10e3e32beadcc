package redrive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/esm-go/esm/destination"
)

// AfterRedrive says what happens to an object after its records have been brought back.
type AfterRedrive string

const (
	// Move moves the object under BucketConfig.MoveTo.
	Move AfterRedrive = "move"
	// Tag gives the object the tag esm-redriven=true. Objects with the tag are skipped; that costs one request per
	// object.
	Tag AfterRedrive = "tag"
	// Delete deletes the object.
	Delete AfterRedrive = "delete"
)

// redrivenTag is the tag that Tag sets.
const redrivenTag = "esm-redriven"

// BucketConfig configures how failures in a bucket are read.
type BucketConfig struct {
	// AWS is the SDK's configuration, with the bucket's region.
	AWS aws.Config
	// Bucket is the bucket's name or ARN.
	Bucket string
	// Prefix selects the objects by the beginning of their keys, such as aws/lambda/<UUID>/<topic-partition>/2026/11/.
	Prefix string
	// After is what happens to an object afterwards; default Move.
	After AfterRedrive
	// MoveTo is the prefix of moved objects; default "redriven/".
	MoveTo string
	// Client changes the SDK's client.
	Client []func(*awss3.Options)
}

type bucketSource struct {
	config BucketConfig
	client *awss3.Client
	keys   []string
	after  *string // the last key listed
	ended  bool
}

// FromBucket opens the failures in a bucket. It needs s3:ListBucket, s3:GetObject and s3:PutObject; for Move and Delete
// also s3:DeleteObject, for Tag also s3:GetObjectTagging and s3:PutObjectTagging.
func FromBucket(_ context.Context, config BucketConfig) (Source, error) {
	if name, ok := strings.CutPrefix(config.Bucket, "arn:"); ok {
		parsed, err := destination.ParseName("arn:" + name)
		if err == nil && parsed.Kind != destination.S3 {
			err = errors.New("is not the ARN of a bucket")
		}
		if err != nil {
			return nil, fmt.Errorf("redrive: %q %w", config.Bucket, err)
		}
		config.Bucket = parsed.Resource
	}
	switch config.After {
	case "":
		config.After = Move
	case Move, Tag, Delete:
	default:
		return nil, fmt.Errorf("redrive: After is %q: move, tag and delete are allowed", config.After)
	}
	if config.MoveTo == "" {
		config.MoveTo = "redriven/"
	}
	if config.After == Move && strings.HasPrefix(config.Prefix, config.MoveTo) {
		return nil, fmt.Errorf("redrive: the prefix %q is where objects are moved to (%q): choose another MoveTo", config.Prefix, config.MoveTo)
	}
	change := append([]func(*awss3.Options){func(o *awss3.Options) { o.DisableLogOutputChecksumValidationSkipped = true }}, config.Client...)
	return &bucketSource{config: config, client: awss3.NewFromConfig(config.AWS, change...)}, nil
}

// Total returns -1: counting the objects would mean listing them all.
func (s *bucketSource) Total(context.Context) int64 { return -1 }

// Read reads the next objects, in the order of their keys.
func (s *bucketSource) Read(ctx context.Context, n int) ([]*Item, error) {
	var items []*Item
	records, bytes := 0, 0
	for records < n && bytes < maxPayload {
		if len(s.keys) == 0 {
			if s.ended {
				break
			}
			if err := s.list(ctx); err != nil {
				return nil, err
			}
			continue
		}
		i, size, err := s.get(ctx, s.keys[0])
		if err != nil {
			return nil, err
		}
		s.keys = s.keys[1:]
		if i != nil {
			items = append(items, i)
			records += max(i.Len(), 1)
			bytes += size
		}
	}
	if len(items) == 0 {
		return nil, io.EOF
	}
	return items, nil
}

func (s *bucketSource) list(ctx context.Context) error {
	out, err := s.client.ListObjectsV2(ctx, &awss3.ListObjectsV2Input{Bucket: &s.config.Bucket, Prefix: &s.config.Prefix, StartAfter: s.after})
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	for i := range out.Contents {
		key := aws.ToString(out.Contents[i].Key)
		s.after = &key
		if s.config.After != Move || !strings.HasPrefix(key, s.config.MoveTo) {
			s.keys = append(s.keys, key)
		}
	}
	s.ended = !aws.ToBool(out.IsTruncated) || len(out.Contents) == 0
	return nil
}

// object identifies the object that an item was read from.
type object struct {
	key      string
	metadata map[string]string
}

// get reads one object. It returns nil for an object that is tagged or no longer exists.
func (s *bucketSource) get(ctx context.Context, key string) (*Item, int, error) {
	if s.config.After == Tag {
		tags, err := s.client.GetObjectTagging(ctx, &awss3.GetObjectTaggingInput{Bucket: &s.config.Bucket, Key: &key})
		if err != nil {
			return nil, 0, fmt.Errorf("the tags of %s: %w", key, err)
		}
		for _, t := range tags.TagSet {
			if aws.ToString(t.Key) == redrivenTag {
				return nil, 0, nil
			}
		}
	}
	out, err := s.client.GetObject(ctx, &awss3.GetObjectInput{Bucket: &s.config.Bucket, Key: &key})
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
		return nil, 0, nil // another reader was faster
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		return nil, 0, fmt.Errorf("%s: %w", key, err)
	}
	defer func() { _ = out.Body.Close() }()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", key, err)
	}
	attributes := make(map[string]string, len(out.Metadata))
	for name, value := range out.Metadata {
		attributes[strings.ToLower(name)] = value
	}
	i := &Item{Where: key, token: object{key, attributes}}
	i.read(body, attributes)
	return i, len(body), nil
}

// copyOf returns the CopySource for a key.
func (s *bucketSource) copyOf(key string) *string {
	parts := strings.Split(key, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return aws.String(s.config.Bucket + "/" + strings.Join(parts, "/"))
}

// Done moves, tags or deletes the objects.
func (s *bucketSource) Done(ctx context.Context, items []*Item) error {
	for _, i := range items {
		key := i.Where
		switch s.config.After {
		case Tag:
			_, err := s.client.PutObjectTagging(ctx, &awss3.PutObjectTaggingInput{Bucket: &s.config.Bucket, Key: &key,
				Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String(redrivenTag), Value: aws.String("true")}}}})
			if err != nil {
				return fmt.Errorf("tag %s: %w", key, err)
			}
			continue
		case Move:
			_, err := s.client.CopyObject(ctx, &awss3.CopyObjectInput{Bucket: &s.config.Bucket, Key: aws.String(s.config.MoveTo + key), CopySource: s.copyOf(key)})
			if err != nil {
				return fmt.Errorf("move %s: %w", key, err)
			}
		case Delete:
		}
		if _, err := s.client.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &s.config.Bucket, Key: &key}); err != nil {
			return fmt.Errorf("delete %s: %w", key, err)
		}
	}
	return nil
}

// Return writes the new count into the objects' metadata.
func (s *bucketSource) Return(ctx context.Context, items []*Item) error {
	for _, i := range items {
		o, _ := i.token.(object)
		metadata := maps.Clone(o.metadata)
		metadata[destination.AttributeRedrives] = strconv.Itoa(i.Redrives + 1)
		_, err := s.client.CopyObject(ctx, &awss3.CopyObjectInput{Bucket: &s.config.Bucket, Key: &o.key, CopySource: s.copyOf(o.key),
			Metadata: metadata, MetadataDirective: types.MetadataDirectiveReplace, ContentType: aws.String("application/json")})
		if err != nil {
			return fmt.Errorf("count in %s: %w", o.key, err)
		}
	}
	return nil
}

// Release leaves the objects as they are.
func (s *bucketSource) Release(context.Context, []*Item) error { return nil }

// Close does nothing.
func (s *bucketSource) Close(context.Context) error { return nil }
