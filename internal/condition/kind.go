package condition

import (
	"errors"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// Whereof returns word and what a condition is about; it is empty for the whole mapping.
func Whereof(c *observe.Condition, word string) string {
	if where := c.Where(); where != "" {
		return word + where
	}
	return ""
}

// Kinds of conditions that are not a driver's.
const (
	KindCircuit = "circuit open"
	KindMemory  = "memory full"
	// KindUnfetched means that the brokers have records that the client does not fetch, and it reports no reason.
	KindUnfetched = "not fetched"
	kindInvalid   = "not valid"
)

// KindOf returns the driver's kind of an error, as text.
func KindOf(err error) string {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Kind.String()
	}
	return driver.KindOther.String()
}

// Gravity orders conditions: the lowest is the worst. Those from minor on do not affect the LastProcessingResult.
func Gravity(c *observe.Condition) int {
	switch c.Op {
	case observe.OpLag:
		return minor - 1
	case observe.OpInvoke:
		if ofFunction(c) {
			return minor - 2
		}
		return minor
	case observe.OpRotation, observe.OpBuffer, observe.OpFetch:
		return minor
	case observe.OpCredentials:
		return 0
	}
	kinds := [...]driver.Kind{driver.KindAuthentication, driver.KindAuthorization, driver.KindFenced, driver.KindInvalidConfig,
		driver.KindGroupProtocol, driver.KindUnknownTopic, driver.KindUnavailable}
	for i, kind := range kinds {
		if c.Kind == kind.String() {
			return i
		}
	}
	return len(kinds)
}

const minor = 100

// about reports whether a condition concerns a partition, directly or through its topic.
func about(c *observe.Condition, tp event.TopicPartition) bool {
	return c.TopicPartition == tp || c.TopicPartition.Topic == tp.Topic && c.TopicPartition.Partition < 0
}
