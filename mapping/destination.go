package mapping

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	// kafkaDestination is AWS's pattern of a destination topic.
	kafkaDestination = regexp.MustCompile(`^kafka://([^.][a-zA-Z0-9\-_.]{0,248})$`)
	// arnDestination is the ARN of a queue, a topic or a bucket.
	arnDestination = regexp.MustCompile(`^arn:aws[a-zA-Z0-9-]*:(sqs|sns|s3):([a-z]{2}[a-z0-9-]*-[0-9])?:([0-9]{12})?:.+$`)
)

func (m Mapping) checkDestination(c *checker) {
	d := m.DestinationConfig
	if d == nil {
		return
	}
	if d.OnSuccess != nil && d.OnSuccess.Destination != "" { // an empty one is what responses have
		c.refuse("DestinationConfig.OnSuccess", nil,
			"Unsupported DestinationConfig parameter for given event source mapping type. Kafka has OnFailure only")
	}
	if !m.hasDestination() {
		return
	}
	const field = "DestinationConfig.OnFailure.Destination"
	destination := d.OnFailure.Destination
	if !c.length(field, destination, 1, 350) {
		return
	}
	if arnDestination.MatchString(destination) {
		return
	}
	topic := kafkaDestination.FindStringSubmatch(destination)
	if topic == nil {
		c.refuse(field, destination, "must be kafka://topic, or the ARN of an SQS queue, an SNS topic or an S3 bucket")
		return
	}
	m.provisionedOnly(c, field)
	for i, source := range m.Topics {
		if matchesTopic(source, topic[1]) {
			c.refuse(field, destination, fmt.Sprintf("is what Topics[%d] reads: failed records would come back; use another topic", i))
		}
	}
}

// matchesTopic tells whether an element of Topics reads a topic.
func matchesTopic(source, topic string) bool {
	if !strings.HasPrefix(source, "^") {
		return source == topic
	}
	pattern, err := regexp.Compile(source)
	return err == nil && pattern.MatchString(topic)
}
