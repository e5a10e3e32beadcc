package condition

import (
	"errors"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// Whereof names what a condition is about, after a word; it is empty for the whole mapping.
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
	// KindUnfetched: the brokers have records that the client does not bring, and it names no reason.
	KindUnfetched = "not fetched"
	kindInvalid   = "not valid"
)

// KindOf is the driver's kind of an error in words.
func KindOf(err error) string {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Kind.String()
	}
	return driver.KindOther.String()
}

// Gravity orders conditions: the least is the worst. Those from minor on do not make the LastProcessingResult.
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

// about reports whether it concerns a partition, itself or through its topic.
func about(c *observe.Condition, tp event.TopicPartition) bool {
	return c.TopicPartition == tp || c.TopicPartition.Topic == tp.Topic && c.TopicPartition.Partition < 0
}
