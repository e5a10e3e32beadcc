package destination

import (
	"fmt"
	"regexp"
	"strings"
)

// Kind is a kind of destination.
type Kind string

// The kinds of destination that Lambda has for Kafka.
const (
	SQS   Kind = "sqs"
	SNS   Kind = "sns"
	S3    Kind = "s3"
	Kafka Kind = "kafka"
)

// Name is a parsed DestinationConfig.OnFailure.Destination.
type Name struct {
	Kind Kind
	// Partition is the ARN's partition: aws, aws-cn …; Region and Account are empty for buckets.
	Partition, Region, Account string
	// Resource is the name of the queue, topic or bucket.
	Resource string
}

// FIFO reports whether the name is that of a FIFO queue or topic.
func (n Name) FIFO() bool {
	return (n.Kind == SQS || n.Kind == SNS) && strings.HasSuffix(n.Resource, ".fifo")
}

// String returns the ARN, or kafka:// and the topic.
func (n Name) String() string {
	if n.Kind == Kafka {
		return kafkaScheme + n.Resource
	}
	return "arn:" + n.Partition + ":" + string(n.Kind) + ":" + n.Region + ":" + n.Account + ":" + n.Resource
}

const (
	kafkaScheme = "kafka://"
	// maxName is the longest name that Lambda's API accepts.
	maxName = 350
)

var (
	topicName   = regexp.MustCompile(`^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,248}$`)
	regionName  = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}$`)
	accountName = regexp.MustCompile(`^[0-9]{12}$`)
	queueName   = regexp.MustCompile(`^([a-zA-Z0-9_-]{1,80}|[a-zA-Z0-9_-]{1,75}\.fifo)$`)
	snsName     = regexp.MustCompile(`^([a-zA-Z0-9_-]{1,256}|[a-zA-Z0-9_-]{1,251}\.fifo)$`)
	bucketName  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	partition   = regexp.MustCompile(`^aws(-[a-z-]+)?$`)
)

// ParseName parses kafka://topic, or the ARN of an SQS queue, an SNS topic or an S3 bucket. The error text continues a
// sentence that begins with the name: "must be …".
func ParseName(s string) (Name, error) {
	if len(s) > maxName {
		return Name{}, fmt.Errorf("has %d characters, at most %d are allowed", len(s), maxName)
	}
	if topic, ok := strings.CutPrefix(s, kafkaScheme); ok {
		return parseTopic(topic)
	}
	parts := strings.SplitN(s, ":", 6)
	if parts[0] != "arn" {
		return Name{}, fmt.Errorf("must be kafka://topic, or the ARN of an SQS queue, an SNS topic or an S3 bucket")
	}
	if len(parts) < 6 || !partition.MatchString(parts[1]) {
		return Name{}, fmt.Errorf("is not an ARN: it has the form arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE")
	}
	n := Name{Kind: Kind(parts[2]), Partition: parts[1], Region: parts[3], Account: parts[4], Resource: parts[5]}
	switch n.Kind {
	case SQS:
		return n, n.check("queue", queueName)
	case SNS:
		return n, n.check("topic", snsName)
	case S3:
		return n, n.checkBucket()
	case Kafka:
	}
	return Name{}, fmt.Errorf("is the ARN of the service %q: an on-failure destination is an SQS queue, an SNS topic, an S3 bucket or kafka://topic", parts[2])
}

func parseTopic(topic string) (Name, error) {
	if !topicName.MatchString(topic) {
		return Name{}, fmt.Errorf("names the topic %q: a topic has 1 to 249 characters of a-z, A-Z, 0-9, '.', '_' and '-', the first of which is not '.'", topic)
	}
	return Name{Kind: Kafka, Resource: topic}, nil
}

func (n Name) check(what string, pattern *regexp.Regexp) error {
	switch {
	case !regionName.MatchString(n.Region):
		return fmt.Errorf("has the region %q: the ARN of %s has one, such as eu-central-1", n.Region, "a "+what)
	case !accountName.MatchString(n.Account):
		return fmt.Errorf("has the account %q: the ARN of %s has the 12 digits of an account", n.Account, "a "+what)
	case !pattern.MatchString(n.Resource):
		return fmt.Errorf("names the %s %q: letters, digits, '_' and '-', and .fifo at the end of a FIFO %s", what, n.Resource, what)
	}
	return nil
}

func (n Name) checkBucket() error {
	switch {
	case n.Region != "" || n.Account != "":
		return fmt.Errorf("has a region or an account: the ARN of a bucket is arn:aws:s3:::BUCKET")
	case strings.Contains(n.Resource, "/"):
		return fmt.Errorf("names %q: a bucket alone is named, without a key", n.Resource)
	case !bucketName.MatchString(n.Resource):
		return fmt.Errorf("names the bucket %q: 3 to 63 lower-case letters, digits, '.' and '-'", n.Resource)
	}
	return nil
}
