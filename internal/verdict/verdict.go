package verdict

import (
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// Outcome is what an invocation means for the records that it failed.
type Outcome uint8

// The outcomes.
const (
	Succeeded  Outcome = iota
	Failed             // try again, one attempt used
	Overloaded         // try again, no attempt used
	Final              // do not try again
	// Interrupted: the engine ended the invocation, and nothing is known of its records. No error reads so by itself.
	Interrupted
)

// Verdict is the meaning of what a handler returned.
type Verdict struct {
	Outcome Outcome
	// partial: only items failed, the rest succeeded. Without it the outcome is the whole batch's.
	Partial bool
	Items   []event.ItemID
	Err     error
}

// Classify is the one place that reads a handler's error. Of several errors joined, the whole batch fails unless every
// one of them names items, and the mildest treatment wins: one that may be retried makes all be retried.
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
		// What a handler panicked with is not what it returned.
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

// merge reads the branches of a joined error.
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
		// A throttle counts only where everything says so: the rest did use an attempt. Permanent likewise.
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
