package verdict

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

func TestClassify(t *testing.T) {
	boom := errors.New("boom")
	item := func(offset int64) event.ItemID { return event.ItemID{Partition: "t-0", Offset: offset} }
	items := ItemFailures([]event.ItemID{item(1), item(2)})
	for _, c := range []struct {
		name    string
		err     error
		outcome Outcome
		partial bool
		items   []event.ItemID
	}{
		{"nil", nil, Succeeded, false, nil},
		{"plain", boom, Failed, false, nil},
		{"wrapped", fmt.Errorf("a: %w", boom), Failed, false, nil},
		{"permanent", Permanent(boom), Final, false, nil},
		{"permanent of nil", Permanent(nil), Succeeded, false, nil},
		{"permanent inside", fmt.Errorf("a: %w", Permanent(boom)), Final, false, nil},
		{"throttled", Throttled(boom), Overloaded, false, nil},
		{"throttled of nil", Throttled(nil), Succeeded, false, nil},
		{"items", items, Failed, true, []event.ItemID{item(1), item(2)}},
		{"items inside", fmt.Errorf("a: %w", items), Failed, true, []event.ItemID{item(1), item(2)}},
		{"no items", ItemFailures([]event.ItemID{}), Succeeded, false, nil},
		{"permanent items", Permanent(items), Final, true, []event.ItemID{item(1), item(2)}},
		{"throttled items", Throttled(items), Overloaded, true, []event.ItemID{item(1), item(2)}},
		{"the outer mark wins", Throttled(Permanent(boom)), Overloaded, false, nil},
		{"panic", &observe.PanicError{Value: boom}, Failed, false, nil},
		{"panic with a mark", &observe.PanicError{Value: Permanent(boom)}, Failed, false, nil},
		{"joined items", errors.Join(items, ItemFailures([]event.ItemID{item(7)})), Failed, true, []event.ItemID{item(1), item(2), item(7)}},
		{"joined items and plain", errors.Join(items, boom), Failed, false, nil},
		{"joined permanent", errors.Join(Permanent(boom), Permanent(boom)), Final, false, nil},
		{"joined permanent and plain", errors.Join(Permanent(boom), boom), Failed, false, nil},
		{"joined throttled and plain", errors.Join(boom, Throttled(boom)), Failed, false, nil},
		{"joined throttled and permanent", errors.Join(Permanent(boom), Throttled(boom)), Failed, false, nil},
		{"joined, then marked", Permanent(errors.Join(boom, Throttled(boom))), Final, false, nil},
		{"two wrapped", fmt.Errorf("%w and %w", Throttled(boom), Throttled(boom)), Overloaded, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Classify(c.err)
			if v.Outcome != c.outcome || v.Partial != c.partial || !slices.Equal(v.Items, c.items) {
				t.Errorf("classify(%v) = %+v", c.err, v)
			}
			if !errors.Is(v.Err, c.err) {
				t.Errorf("the verdict carries %v, want %v", v.Err, c.err)
			}
		})
	}
}

// FuzzClassify builds trees of errors from a program of bytes. For every tree, Classify does not panic, only nil
// succeeds, a plain error joined to the tree makes it fail as a whole, and there are items only if the failure is
// partial.
func FuzzClassify(f *testing.F) {
	f.Add([]byte{0}, false)
	f.Add([]byte{1, 0, 2, 0, 5}, true)
	f.Add([]byte{3, 3, 5, 4, 1, 2}, true)
	f.Fuzz(func(t *testing.T, program []byte, joinAll bool) {
		if len(program) > 200 {
			t.Skip()
		}
		var stack []error
		pop := func() error {
			if len(stack) == 0 {
				return nil
			}
			e := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			return e
		}
		for i, b := range program {
			switch b % 6 {
			case 0:
				stack = append(stack, errors.New("leaf"))
			case 1:
				stack = append(stack, Permanent(pop()))
			case 2:
				stack = append(stack, Throttled(pop()))
			case 3:
				stack = append(stack, ItemFailures([]event.ItemID{{Partition: "t-0", Offset: int64(i)}}))
			case 4:
				if e := pop(); e != nil {
					stack = append(stack, fmt.Errorf("wrapped: %w", e))
				}
			case 5:
				stack = append(stack, errors.Join(pop(), pop()))
			}
		}
		err := pop()
		if joinAll {
			err = errors.Join(append(stack, err)...)
		}
		v := Classify(err)
		switch {
		case (err == nil) != (v.Outcome == Succeeded):
			t.Fatalf("classify(%v) = %+v", err, v)
		case v.Partial != (len(v.Items) > 0):
			t.Fatalf("a partial verdict has items, another has none: %+v", v)
		}
		if err == nil {
			return
		}
		if w := Classify(errors.Join(err, errors.New("leaf"))); w.Outcome != Failed || w.Partial {
			t.Fatalf("joined with a plain error: %+v", w)
		}
		if w := Classify(fmt.Errorf("why: %w", err)); w.Outcome != v.Outcome || w.Partial != v.Partial || !slices.Equal(w.Items, v.Items) {
			t.Fatalf("wrapping changed %+v into %+v", v, w)
		}
		if w := Classify(Permanent(err)); w.Outcome != Final || w.Partial != v.Partial {
			t.Fatalf("Permanent made %+v of %+v", w, v)
		}
	})
}
