package esmtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// expectTimeout is how long Expect and ExpectExactly wait; inside a bubble this is virtual time.
const expectTimeout = 10 * time.Second

// Matcher returns nil for an invocation that it matches, and otherwise what is wrong with it. Any function
// will do.
type Matcher func(Invocation) error

// Delivered matches an invocation whose records of a partition ("topic-0") are exactly those at the offsets.
func Delivered(partition string, offsets ...int64) Matcher {
	return func(i Invocation) error {
		var got []int64
		for _, r := range i.Event.Records[partition] {
			got = append(got, r.Offset)
		}
		if !slices.Equal(got, offsets) {
			return fmt.Errorf("it has %v of %s, want %v", got, partition, offsets)
		}
		return nil
	}
}

// Succeeded matches an invocation whose handler returned nil.
func Succeeded() Matcher {
	return func(i Invocation) error {
		if i.Err != nil {
			return fmt.Errorf("it failed: %w", i.Err)
		}
		return nil
	}
}

// Failed matches an invocation whose error is target, by errors.Is, or any error when target is nil.
func Failed(target error) Matcher {
	return func(i Invocation) error {
		switch {
		case i.Err == nil:
			return errors.New("it succeeded")
		case target != nil && !errors.Is(i.Err, target):
			return fmt.Errorf("it failed with %w, want %w", i.Err, target)
		}
		return nil
	}
}

// All matches an invocation that every one of the matchers matches.
func All(matchers ...Matcher) Matcher {
	return func(i Invocation) error {
		for _, m := range matchers {
			if err := m(i); err != nil {
				return err
			}
		}
		return nil
	}
}

// Expect waits until the invocations match: each matcher must match an invocation after the one that the
// previous matcher matched. Other invocations may come in between. It waits for 10 s at most, and its error
// says what came instead.
func Expect(r *Recorder, want ...Matcher) error {
	unmatched := want
	got := r.await(expectTimeout, func(got []Invocation) bool {
		unmatched = want
		for _, i := range got {
			if len(unmatched) > 0 && unmatched[0](i) == nil {
				unmatched = unmatched[1:]
			}
		}
		return len(unmatched) == 0
	})
	if len(unmatched) == 0 {
		return nil
	}
	return fmt.Errorf("%w: matcher %d of %d matches none in its turn; there are%s",
		errUnmatched, len(want)-len(unmatched)+1, len(want), list(got))
}

// ExpectExactly is Expect without other invocations: as many invocations as matchers. It cannot see what
// comes later: in a bubble, sleep first. With no matchers it reports at once whether there was any
// invocation.
func ExpectExactly(r *Recorder, want ...Matcher) error {
	got := r.await(expectTimeout, func(got []Invocation) bool { return len(got) >= len(want) })
	for i, m := range want {
		if i >= len(got) {
			break
		}
		if err := m(got[i]); err != nil {
			return fmt.Errorf("%w: invocation %d of %d: %w; there are%s", errUnmatched, i+1, len(want), err, list(got))
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%w: %d came, want %d:%s", errUnmatched, len(got), len(want), list(got))
	}
	return nil
}

// list formats invocations, one per line.
func list(all []Invocation) string {
	if len(all) == 0 {
		return " none"
	}
	var b strings.Builder
	for _, i := range all {
		b.WriteString("\n ")
		for _, key := range slices.Sorted(maps.Keys(i.Event.Records)) {
			records := i.Event.Records[key]
			fmt.Fprintf(&b, " %s[%d..%d]", key, records[0].Offset, records[len(records)-1].Offset)
		}
		fmt.Fprintf(&b, " attempt %d: %v", i.Attempt, i.Err)
	}
	return b.String()
}
