package condition

import (
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// The kinds of conditions of an on-failure destination. Each ends separately.
const (
	KindDelivery = "delivery"    // ends when no failure is pending whose last Send failed
	KindCheck    = "check"       // ends when the destination exists
	KindRenewal  = "credentials" // ends when the destination has accepted the newest
)

// DestinationFails begins a condition of the destination.
func (c *Set) DestinationFails(kind string, err error) observe.ErrorInfo {
	info := observe.ErrorInfo{Op: observe.OpDestination, Err: err, LastProcessingResult: "PROBLEM: " + err.Error()}
	c.own.Hold(info, kind, event.TopicPartition{})
	return info
}

// DestinationWell ends a condition of the destination.
func (c *Set) DestinationWell(kind string) {
	c.own.End(func(x *observe.Condition) bool { return x.Op == observe.OpDestination && x.Kind == kind })
}
