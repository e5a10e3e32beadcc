package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/observe"
)

// mangle modifies an event in every way that KafkaEvent's documentation allows.
func mangle(e event.KafkaEvent) {
	for key, records := range e.Records {
		for i := range records {
			r := &records[i]
			for k := range r.Headers {
				r.Headers[k] = event.Header{Key: "gone"}
			}
			r.Headers = append(r.Headers[:0], event.Header{Key: "more"})
			r.Key = append(r.Key, "-appended"...)
			r.Value = append(r.Value, "-appended"...)
			r.Offset, r.Topic, r.Partition, r.Timestamp, r.Key, r.Value = -7, "other", 99, 0, nil, nil
		}
		slices.Reverse(records)
		clear(records[:len(records)/2])
		_ = append(records, event.KafkaRecord{Offset: 1 << 40}, event.KafkaRecord{Offset: 1<<40 + 1})
		e.Records[key] = slices.Delete(records, 0, min(1, len(records)))
	}
	e.Records["other-99"] = []event.KafkaRecord{{Offset: 5}}
	for key := range e.Records {
		delete(e.Records, key)
		break
	}
}

// What the handler does to its event does not change what is retried, dropped, reported and committed.
func TestEventBelongsToHandler(t *testing.T) {
	for _, retry := range []verdict.Policy{
		{MaximumRetryAttempts: -1}, {MaximumRetryAttempts: 1}, {MaximumRetryAttempts: 1, Bisect: true}, {MaximumRetryAttempts: -1, Partial: true}, {MaximumRetryAttempts: 2, Bisect: true, Partial: true},
	} {
		inBubble(t, fmt.Sprintf("%+v", retry), func(t *testing.T) {
			b := membroker.NewBroker(t, membroker.FetchRecords(4))
			b.CreateTopic("t", 2)
			for i := range 40 {
				b.Produce("t", membroker.Record{Partition: int32(i % 2), Key: fmt.Appendf(nil, "k%d", i/2), Value: fmt.Appendf(nil, "v%d", i/2),
					Headers: []event.Header{{Key: "a", Value: fmt.Appendf(nil, "h%d", i/2)}, {Key: "b"}}})
			}
			right := func(r *event.KafkaRecord, p int32) bool {
				n := r.Offset
				return r.Topic == "t" && r.Partition == p && bytes.Equal(r.Key, fmt.Appendf(nil, "k%d", n)) && bytes.Equal(r.Value, fmt.Appendf(nil, "v%d", n)) &&
					len(r.Headers) == 2 && r.Headers[0].Key == "a" && bytes.Equal(r.Headers[0].Value, fmt.Appendf(nil, "h%d", n)) && r.Headers[1].Key == "b"
			}
			var mu sync.Mutex
			resolved := make([][]bool, 2)
			tries := make(map[string]int)
			var first []string
			var ends []observe.BatchInfo
			for p := range resolved {
				resolved[p] = make([]bool, 20)
			}
			resolve := func(p int32, offset int64) { resolved[p][offset] = true }
			s := defaults()
			s.BatchSize, s.Retry = 7, retry
			r := newRig(t, b, s, nil, WithHooks(observe.Hooks{
				Drop: func(d observe.DropInfo) {
					mu.Lock()
					defer mu.Unlock()
					for i := range d.Records {
						if !right(&d.Records[i], d.Partition) {
							t.Errorf("dropped %+v", d.Records[i])
							continue
						}
						resolve(d.Partition, d.Records[i].Offset)
					}
				},
				BatchBegin: func(_ context.Context, i observe.BatchInfo) {
					mu.Lock()
					first = append(first, fmt.Sprint(i))
					mu.Unlock()
				},
				BatchEnd: func(_ context.Context, i observe.BatchEndInfo) {
					mu.Lock()
					ends = append(ends, i.BatchInfo)
					mu.Unlock()
				},
				Commit: func(c observe.CommitInfo) {
					mu.Lock()
					defer mu.Unlock()
					for tp, offset := range c.Offsets {
						if i := slices.Index(resolved[tp.Partition], false); offset < 0 || offset > 20 || i >= 0 && int64(i) < offset {
							t.Errorf("%s is committed at %d, past the unresolved %d", tp, offset, i)
						}
					}
				},
			}))
			r.runner.shared.Handler = func(_ context.Context, e event.KafkaEvent) error {
				mu.Lock()
				defer mu.Unlock()
				defer mangle(e)
				var items []event.ItemID
				bad := false
				type id struct {
					p      int32
					offset int64
				}
				var all []id
				for p := range int32(2) {
					for i := range e.Records[fmt.Sprintf("t-%d", p)] {
						rec := &e.Records[fmt.Sprintf("t-%d", p)][i]
						if !right(rec, p) {
							t.Errorf("handed %+v", *rec)
						}
						all = append(all, id{p, rec.Offset})
						key := fmt.Sprint(p, rec.Offset)
						if tries[key]++; rec.Offset%3 == 1 && (tries[key] < 3 || rec.Offset == 4 && retry.MaximumRetryAttempts >= 0) {
							items, bad = append(items, rec.ItemID()), true
						}
					}
				}
				switch {
				case !bad:
					for _, x := range all {
						resolve(x.p, x.offset)
					}
					return nil
				case retry.Partial:
					for _, x := range all {
						if !slices.Contains(items, event.ItemID{Partition: fmt.Sprintf("t-%d", x.p), Offset: x.offset}) {
							resolve(x.p, x.offset)
						}
					}
					return itemFailures(items...)
				}
				return errors.New("again")
			}
			r.start()
			pass(30 * 60e9)
			r.mustStop()
			for p := range int32(2) {
				if i := slices.Index(resolved[p], false); i >= 0 {
					t.Errorf("t-%d[%d] was never resolved", p, i)
				}
				if k := b.Committed("g", "t", p).Offset; k != 20 {
					t.Errorf("t-%d is committed at %d, want 20", p, k)
				}
			}
			if len(first) == 0 || len(first) != len(ends) {
				t.Fatalf("%d begins, %d ends", len(first), len(ends))
			}
			for _, i := range ends {
				if !slices.Contains(first, fmt.Sprint(i)) {
					t.Errorf("a batch ended as %+v, which never began so", i)
				}
			}
		})
	}
}
