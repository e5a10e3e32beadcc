package kafka

import (
	"errors"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
)

// kindOf returns the kind of a driver's error. An error without a kind is the end of a context, which counts as
// unavailable.
func kindOf(err error) driver.Kind {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Kind
	}
	return driver.KindUnavailable
}

var reasons = map[driver.Kind]destination.Reason{
	driver.KindUnavailable:    destination.ReasonUnavailable,
	driver.KindAuthentication: destination.ReasonAccessDenied,
	driver.KindAuthorization:  destination.ReasonAccessDenied,
	driver.KindUnknownTopic:   destination.ReasonNotFound,
	driver.KindTooLarge:       destination.ReasonTooLarge,
	driver.KindInvalidConfig:  destination.ReasonInvalid,
}

var hints = map[destination.Reason]string{
	destination.ReasonAccessDenied: "the mapping's own user writes: allow it Write and Describe on the topic, and IdempotentWrite on a cluster before 3.0",
	destination.ReasonNotFound:     "create the topic: it is not created automatically",
	destination.ReasonTooLarge:     "raise the topic's max.message.bytes: a value is a third longer in a failure's document",
}

// explain turns a driver's error into a destination's error.
func (d *Destination) explain(err error) error {
	if err == nil || errors.Is(err, errClosed) {
		return err
	}
	e := &destination.Error{Destination: d.String(), Reason: destination.ReasonOther, Err: err}
	if reason, ok := reasons[kindOf(err)]; ok {
		e.Reason = reason
	}
	e.Hint = hints[e.Reason]
	return e
}
