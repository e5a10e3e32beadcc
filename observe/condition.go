package observe

import (
	"fmt"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/event"
)

// Condition is something that is wrong and goes on being wrong: it stands until it ends. Status lists those that stand.
type Condition struct {
	// Op says what fails.
	Op Op
	// Kind says how: a driver.Kind in words, or "circuit open", "memory full", "not valid", or the code of a FunctionProblem; of
	// OpDestination "delivery", "check" and "credentials".
	Kind string
	// TopicPartition says what it is about: a partition; a topic, with Partition -1; or the whole mapping, with no topic.
	TopicPartition event.TopicPartition
	// Since is when it began, Last when it was reported last, Count how often. A client reports what stands once.
	Since, Last time.Time
	Count       int
	// Err is what was reported last.
	Err error
	// LastProcessingResult is Lambda's text for it.
	LastProcessingResult string
	// Diagnosis says what it means, zero where that is not known.
	Diagnosis auth.Diagnosis
}

// String says what stands, where and since when.
func (c Condition) String() string {
	where := c.Where()
	if where != "" {
		where = " of " + where
	}
	return fmt.Sprintf("%s: %s%s since %s: %v", c.Op, c.Kind, where, c.Since.Format(time.RFC3339), c.Err)
}

// Where names what the condition is about: a partition, a topic; it is empty for the whole mapping.
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
