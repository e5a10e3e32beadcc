package awstest

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Queue creates an SQS queue and returns its ARN and URL. The attribute FifoQueue makes it a FIFO queue, with ".fifo"
// at the end of its name.
func Queue(t testing.TB, cfg aws.Config, attributes map[string]string) (arn, url string) {
	t.Helper()
	client, name := sqs.NewFromConfig(cfg), Name(t)
	if attributes["FifoQueue"] == "true" {
		name += ".fifo"
	}
	made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl,
		AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn}})
	if err != nil {
		t.Fatal(err)
	}
	return got.Attributes["QueueArn"], *made.QueueUrl
}

// PathStyle makes a client put the bucket's name into the path, as the doubles require.
func PathStyle(o *s3.Options) { o.UsePathStyle = true }

// Bucket creates an S3 bucket and returns its name and a client for it.
func Bucket(t testing.TB, cfg aws.Config) (name string, client *s3.Client) {
	t.Helper()
	name, client = Name(t), s3.NewFromConfig(cfg, PathStyle)
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: Region}}); err != nil {
		t.Fatal(err)
	}
	return name, client
}
