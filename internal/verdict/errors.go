package verdict

import (
	"fmt"

	"github.com/esm-go/esm/event"
)

// permanentError, throttledError and itemFailuresError are what Permanent, Throttled and ItemFailures return.
type (
	permanentError    struct{ err error }
	throttledError    struct{ err error }
	itemFailuresError struct{ ids []event.ItemID }
)

func (e *permanentError) Error() string { return e.err.Error() }

func (e *permanentError) Unwrap() error { return e.err }

func (e *throttledError) Error() string { return e.err.Error() }

func (e *throttledError) Unwrap() error { return e.err }

func (e *itemFailuresError) Error() string {
	return fmt.Sprintf("esm: %d records of the batch failed, the first of them offset %d of %s",
		len(e.ids), e.ids[0].Offset, e.ids[0].Partition)
}

// Permanent marks err as one that no retry can fix. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// Throttled marks err as a sign of overload. It returns nil for nil.
func Throttled(err error) error {
	if err == nil {
		return nil
	}
	return &throttledError{err}
}

// ItemFailures returns an error that names the failed records, nil if there are none.
func ItemFailures(ids []event.ItemID) error {
	if len(ids) == 0 {
		return nil
	}
	return &itemFailuresError{ids: ids}
}
