package esm

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestClassify(t *testing.T) {
	boom := errors.New("boom")
	item := func(offset int64) ItemID { return ItemID{Partition: "t-0", Offset: offset} }
	items := ItemFailures(item(1), item(2))
	for _, c := range []struct {
		name    string
		err     error
		outcome outcome
		partial bool
		items   []ItemID
	}{
		{"nil", nil, succeeded, false, nil},
		{"plain", boom, failed, false, nil},
		{"wrapped", fmt.Errorf("a: %w", boom), failed, false, nil},
		{"permanent", Permanent(boom), permanent, false, nil},
		{"permanent of nil", Permanent(nil), succeeded, false, nil},
		{"permanent inside", fmt.Errorf("a: %w", Permanent(boom)), permanent, false, nil},
		{"throttled", Throttled(boom), throttled, false, nil},
		{"throttled of nil", Throttled(nil), succeeded, false, nil},
		{"items", items, failed, true, []ItemID{item(1), item(2)}},
		{"items inside", fmt.Errorf("a: %w", items), failed, true, []ItemID{item(1), item(2)}},
		{"no items", ItemFailures(), succeeded, false, nil},
		{"permanent items", Permanent(items), permanent, true, []ItemID{item(1), item(2)}},
		{"throttled items", Throttled(items), throttled, true, []ItemID{item(1), item(2)}},
		{"the outer mark wins", Throttled(Permanent(boom)), throttled, false, nil},
		{"panic", &PanicError{Value: boom}, failed, false, nil},
		{"panic with a mark", &PanicError{Value: Permanent(boom)}, failed, false, nil},
		{"joined items", errors.Join(items, ItemFailures(item(7))), failed, true, []ItemID{item(1), item(2), item(7)}},
		{"joined items and plain", errors.Join(items, boom), failed, false, nil},
		{"joined permanent", errors.Join(Permanent(boom), Permanent(boom)), permanent, false, nil},
		{"joined permanent and plain", errors.Join(Permanent(boom), boom), failed, false, nil},
		{"joined throttled and plain", errors.Join(boom, Throttled(boom)), failed, false, nil},
		{"joined throttled and permanent", errors.Join(Permanent(boom), Throttled(boom)), failed, false, nil},
		{"joined, then marked", Permanent(errors.Join(boom, Throttled(boom))), permanent, false, nil},
		{"two wrapped", fmt.Errorf("%w and %w", Throttled(boom), Throttled(boom)), throttled, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := classify(c.err)
			if v.outcome != c.outcome || v.partial != c.partial || !slices.Equal(v.items, c.items) {
				t.Errorf("classify(%v) = %+v", c.err, v)
			}
			if !errors.Is(v.err, c.err) {
				t.Errorf("the verdict carries %v, want %v", v.err, c.err)
			}
		})
	}
}

// FuzzClassify builds trees of errors from a program of bytes. Whatever the tree: it never panics, nil alone succeeds,
// a tree with an unmarked plain leaf outside any mark is retried whole, and items come only with a partial verdict.
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
				stack = append(stack, ItemFailures(ItemID{Partition: "t-0", Offset: int64(i)}))
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
		v := classify(err)
		switch {
		case (err == nil) != (v.outcome == succeeded):
			t.Fatalf("classify(%v) = %+v", err, v)
		case v.partial != (len(v.items) > 0):
			t.Fatalf("a partial verdict has items, another has none: %+v", v)
		}
		if err == nil {
			return
		}
		if w := classify(errors.Join(err, errors.New("leaf"))); w.outcome != failed || w.partial {
			t.Fatalf("joined with a plain error: %+v", w)
		}
		if w := classify(fmt.Errorf("why: %w", err)); w.outcome != v.outcome || w.partial != v.partial || !slices.Equal(w.items, v.items) {
			t.Fatalf("wrapping changed %+v into %+v", v, w)
		}
		if w := classify(Permanent(err)); w.outcome != permanent || w.partial != v.partial {
			t.Fatalf("Permanent made %+v of %+v", w, v)
		}
	})
}
