package verdict

import (
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// Outcome is what an invocation means for the records that it failed.
type Outcome uint8

// The outcomes of an invocation.
const (
	Succeeded  Outcome = iota
	Failed             // retry, one attempt used
	Overloaded         // retry, no attempt used
	Final              // do not retry
	// Interrupted means that the engine ended the invocation, and the state of its records is unknown. Classify never
	// returns it.
	Interrupted
)

// Verdict is the meaning of what a handler returned.
type Verdict struct {
	Outcome Outcome
	// Partial is whether only items failed and the rest succeeded. If false, Outcome is that of the whole batch.
	Partial bool
	Items   []event.ItemID
	Err     error
}

// Classify is the only place that interprets a handler's error. If errors are joined, the whole batch fails unless each
// of them names items, and the mildest treatment wins: if one may be retried, all are.
func Classify(err error) Verdict {
	if err == nil {
		return Verdict{}
	}
	v := read(err)
	v.Err = err
	return v
}

func read(err error) Verdict {
	switch e := err.(type) { //nolint:errorlint // each level of wrapping is looked at in its turn
	case *permanentError:
		v := read(e.err)
		v.Outcome = Final
		return v
	case *throttledError:
		v := read(e.err)
		v.Outcome = Overloaded
		return v
	case *itemFailuresError:
		return Verdict{Outcome: Failed, Partial: true, Items: e.ids}
	case *observe.PanicError:
		// The value that a handler panicked with is not an error that it returned.
		return Verdict{Outcome: Failed}
	}
	switch e := err.(type) { //nolint:errorlint // the same
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return read(inner)
		}
	case interface{ Unwrap() []error }:
		return merge(e.Unwrap())
	}
	return Verdict{Outcome: Failed}
}

// merge combines the branches of a joined error.
func merge(errs []error) Verdict {
	var out Verdict
	first := true
	for _, err := range errs {
		if err == nil {
			continue
		}
		v := read(err)
		if first {
			out, first = v, false
			out.Items = append([]event.ItemID(nil), v.Items...)
			continue
		}
		out.Partial = out.Partial && v.Partial
		out.Items = append(out.Items, v.Items...)
		// Throttled counts only if every branch says so: the others did use an attempt. The same goes for Permanent.
		if v.Outcome != out.Outcome {
			out.Outcome = Failed
		}
	}
	if first {
		return Verdict{Outcome: Failed}
	}
	if !out.Partial {
		out.Items = nil
	}
	return out
}
