package esm

import "github.com/esm-go/esm/event"

// outcome is what an invocation means for the records that it failed.
type outcome uint8

const (
	succeeded outcome = iota
	failed            // try again, one attempt used
	throttled         // try again, no attempt used
	permanent         // do not try again
	// interrupted: the engine ended the invocation, and nothing is known of its records. No error reads so by itself.
	interrupted
)

// verdict is the meaning of what a handler returned.
type verdict struct {
	outcome outcome
	// partial: only items failed, the rest succeeded. Without it the outcome is the whole batch's.
	partial bool
	items   []event.ItemID
	err     error
}

// classify is the one place that reads a handler's error. Of several errors joined, the whole batch fails unless every
// one of them names items, and the mildest treatment wins: one that may be retried makes all be retried.
func classify(err error) verdict {
	if err == nil {
		return verdict{}
	}
	v := read(err)
	v.err = err
	return v
}

func read(err error) verdict {
	switch e := err.(type) { //nolint:errorlint // each level of wrapping is looked at in its turn
	case *permanentError:
		v := read(e.err)
		v.outcome = permanent
		return v
	case *throttledError:
		v := read(e.err)
		v.outcome = throttled
		return v
	case *itemFailuresError:
		return verdict{outcome: failed, partial: true, items: e.ids}
	case *PanicError:
		// What a handler panicked with is not what it returned.
		return verdict{outcome: failed}
	}
	switch e := err.(type) { //nolint:errorlint // the same
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return read(inner)
		}
	case interface{ Unwrap() []error }:
		return merge(e.Unwrap())
	}
	return verdict{outcome: failed}
}

// merge reads the branches of a joined error.
func merge(errs []error) verdict {
	var out verdict
	first := true
	for _, err := range errs {
		if err == nil {
			continue
		}
		v := read(err)
		if first {
			out, first = v, false
			out.items = append([]event.ItemID(nil), v.items...)
			continue
		}
		out.partial = out.partial && v.partial
		out.items = append(out.items, v.items...)
		// A throttle counts only where everything says so: the rest did use an attempt. Permanent likewise.
		if v.outcome != out.outcome {
			out.outcome = failed
		}
	}
	if first {
		return verdict{outcome: failed}
	}
	if !out.partial {
		out.items = nil
	}
	return out
}
