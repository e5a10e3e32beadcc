package mapping

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/esm-go/esm/destination"
)

func (m Mapping) checkDestination(c *checker) {
	d := m.DestinationConfig
	if d == nil {
		return
	}
	if d.OnSuccess != nil && d.OnSuccess.Destination != "" { // responses have an empty one
		c.refuse("DestinationConfig.OnSuccess", nil,
			"Unsupported DestinationConfig parameter for given event source mapping type. Kafka has OnFailure only")
	}
	if !m.hasDestination() {
		return
	}
	const field = "DestinationConfig.OnFailure.Destination"
	given := d.OnFailure.Destination
	if !c.length(field, given, 1, 350) {
		return
	}
	name, err := destination.ParseName(given)
	if err != nil {
		c.refuse(field, given, err.Error())
		return
	}
	if name.Kind != destination.Kafka {
		return
	}
	m.provisionedOnly(c, field)
	for i, source := range m.Topics {
		if matchesTopic(source, name.Resource) {
			c.refuse(field, given, fmt.Sprintf("is what Topics[%d] reads: failed records would come back; use another topic", i))
		}
	}
}

// matchesTopic reports whether an element of Topics matches a topic.
func matchesTopic(source, topic string) bool {
	if !strings.HasPrefix(source, "^") {
		return source == topic
	}
	pattern, err := regexp.Compile(source)
	return err == nil && pattern.MatchString(topic)
}
