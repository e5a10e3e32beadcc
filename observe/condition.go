package observe

import (
	"fmt"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/event"
)

// Condition is a lasting problem, such as a broker that is down. Status lists it from its start to its end.
type Condition struct {
	// Op says what fails.
	Op Op
	// Kind says how it fails: a driver.Kind in words, "circuit open", "memory full", "not fetched", "not valid", or the code of a FunctionProblem.
	// The kinds of OpDestination are "delivery", "check" and "credentials".
	Kind string
	// TopicPartition is the partition that it concerns. Partition is -1 if it concerns a topic, and Topic is empty if it
	// concerns the whole mapping.
	TopicPartition event.TopicPartition
	// Since is when it began, Last when it was last reported, and Count how often. A client may report it only once.
	Since, Last time.Time
	Count       int
	// Err is the error that was last reported.
	Err error
	// LastProcessingResult is Lambda's text for it.
	LastProcessingResult string
	// Diagnosis explains it; zero if the cause is unknown.
	Diagnosis auth.Diagnosis
}

// String returns what fails, where, since when and with which error.
func (c Condition) String() string {
	where := c.Where()
	if where != "" {
		where = " of " + where
	}
	return fmt.Sprintf("%s: %s%s since %s: %v", c.Op, c.Kind, where, c.Since.Format(time.RFC3339), c.Err)
}

// Where returns the partition or topic that the condition concerns, or "" for the whole mapping.
func (c *Condition) Where() string {
	switch tp := c.TopicPartition; {
	case tp.Topic == "":
		return ""
	case tp.Partition < 0:
		return tp.Topic
	default:
		return tp.String()
	}
}
