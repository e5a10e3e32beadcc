package esm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/event"
)

// drawRecords makes n records of a partition from an offset on, with gaps.
func drawRecords(t *rapid.T, tp TopicPartition, from int64, n int) []KafkaRecord {
	records := make([]KafkaRecord, n)
	for i := range records {
		records[i] = KafkaRecord{Topic: tp.Topic, Partition: tp.Partition, Offset: from, Timestamp: 1_700_000_000_000,
			Value: make([]byte, rapid.SampledFrom([]int{0, 1, 10, 100, 400}).Draw(t, "bytes"))}
		from += int64(rapid.SampledFrom([]int{1, 1, 1, 3}).Draw(t, "step"))
	}
	return records
}

func largestOf(records []event.KafkaRecord) int {
	_, largest := event.RunSize(records)
	return largest
}

func sizeOf(records []KafkaRecord) int {
	n := 0
	for i := range records {
		n += event.Size(&records[i]) + 1
	}
	return n
}

func newTestPartition(i int32) *partition {
	tp := TopicPartition{Topic: "t", Partition: i}
	return &partition{TopicPartition: tp, key: tp.String(), overhead: event.PartitionSize("t", i), alive: true, phase: running,
		next: 0, committed: -1, end: -1, leaderEpoch: -1}
}

// A buffer gives back what it was given, in order, within the limits of each take, and its sums are exact; also when
// runs lie side by side in one slab.
func TestBufferProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b buffer
		var in, out []int64
		tp := TopicPartition{Topic: "t"}
		next, held, heldOut := int64(0), 0, 0
		slab := make([]KafkaRecord, 0, 64)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") {
				records := drawRecords(t, tp, next, rapid.IntRange(0, 8).Draw(t, "n"))
				if n := len(records); n > 0 {
					next = records[n-1].Offset + 1
				}
				for _, r := range records {
					in = append(in, r.Offset)
				}
				if rapid.Bool().Draw(t, "slab") && cap(slab)-len(slab) >= len(records) {
					at := len(slab)
					slab = append(slab, records...)
					records = slab[at:]
				}
				h := rapid.IntRange(0, 1000).Draw(t, "held")
				if len(records) > 0 {
					held += h
				}
				b.add(chunk{records: records, arrived: time.Unix(next, 0), size: sizeOf(records), largest: largestOf(records), held: h})
			} else {
				n, room := rapid.IntRange(1, 20).Draw(t, "most"), rapid.IntRange(0, 3000).Draw(t, "room")
				force, count := rapid.Bool().Draw(t, "force"), b.count
				u := b.take(n, room, force)
				heldOut += u.held
				for _, r := range u.records {
					out = append(out, r.Offset)
				}
				// The unit's own size is only about right where room is ample; the limit holds for the true one.
				size := sizeOf(u.records)
				if len(u.records) > n || size > room && (!force || len(u.records) > 1) {
					t.Fatalf("took %d records of %d bytes, at most %d of %d were asked for", len(u.records), size, n, room)
				}
				if force && count > 0 && len(u.records) == 0 {
					t.Fatal("a forced take of a buffer with records took none")
				}
				if first := b.first(); first != nil && len(u.records) < n && size+event.Size(first)+1 <= room {
					t.Fatalf("left %d behind, which fits", first.Offset)
				}
				if k := len(u.records); cap(u.records) > k {
					t.Fatal("an append to the unit would write into the buffer")
				}
			}
			if b.count != len(in)-len(out) || b.held != held-heldOut {
				t.Fatalf("count %d held %d, want %d and %d", b.count, b.held, len(in)-len(out), held-heldOut)
			}
		}
		rest := b.take(1<<30, 1<<60, false)
		for _, r := range rest.records {
			out = append(out, r.Offset)
		}
		if !slices.Equal(in, out) {
			t.Fatalf("in %v\nout %v", in, out)
		}
		if b.count != 0 || b.size != 0 || b.held != 0 || heldOut+rest.held != held {
			t.Fatalf("the empty buffer says %d records, %d bytes, %d held; %d of %d held came out", b.count, b.size, b.held, heldOut+rest.held, held)
		}
	})
}

// The pool loses and repeats nothing, keeps the order of every partition, never has a partition in two batches, and no
// batch passes BatchSize or the payload limit, but for one record that alone is larger.
func TestPoolProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		envelope := KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: "b:9092"}
		l := limits{
			size:     rapid.IntRange(1, 20).Draw(t, "BatchSize"),
			window:   time.Duration(rapid.IntRange(0, 5).Draw(t, "window")) * time.Second,
			payload:  rapid.IntRange(200, 4000).Draw(t, "payload"),
			envelope: envelope.EnvelopeSize(),
		}
		parts := make([]*partition, rapid.IntRange(1, 5).Draw(t, "partitions"))
		in, out := make([][]int64, len(parts)), make([][]int64, len(parts))
		for i := range parts {
			parts[i] = newTestPartition(int32(i))
		}
		var pool pool
		now := time.Unix(1000, 0)
		flying := make(map[*partition]bool)
		take := func() {
			taken, count, size := pool.take(l)
			records := make(map[string][]KafkaRecord)
			n := 0
			for _, part := range taken {
				p := part.p
				if flying[p] {
					t.Fatalf("%s is in two batches", p.key)
				}
				flying[p] = true
				if len(p.work) != 1 || &p.work[0].records[0] != &part.records[0] {
					t.Fatalf("%s: its work is not what was taken", p.key)
				}
				for _, r := range part.records {
					out[p.Partition] = append(out[p.Partition], r.Offset)
				}
				records[p.key] = part.records
				n += len(part.records)
			}
			e := envelope
			e.Records = records
			encoded := len(e.AppendJSON(nil))
			if count != n || size <= 0 {
				t.Fatalf("the batch says %d records, %d bytes; it has %d, %d", count, size, n, encoded)
			}
			if n == 0 || n > l.size || encoded > l.payload && n > 1 {
				t.Fatalf("a batch of %d records, %d bytes; limits %+v", n, encoded, l)
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
			p := parts[rapid.IntRange(0, len(parts)-1).Draw(t, "p")]
			switch rapid.IntRange(0, 2).Draw(t, "op") {
			case 0:
				records := drawRecords(t, p.TopicPartition, p.next, rapid.IntRange(1, 12).Draw(t, "n"))
				p.next = records[len(records)-1].Offset + 1
				for _, r := range records {
					in[p.Partition] = append(in[p.Partition], r.Offset)
				}
				size := sizeOf(records)
				p.buf.add(chunk{records: records, arrived: now, size: size, largest: largestOf(records)})
				if pool.holds(p) {
					pool.grown(len(records), size)
				} else if !flying[p] {
					pool.add(p)
				}
			case 1:
				if pool.due(now, l) {
					take()
				} else if end, ok := pool.deadline(l); ok && !end.After(now) {
					t.Fatal("not due, though the window has ended")
				}
			case 2:
				if flying[p] {
					delete(flying, p)
					p.popWork()
					if p.buf.count > 0 {
						pool.add(p)
					}
				}
			}
			count, size, oldest := 0, 0, now.Add(time.Hour)
			for _, p := range parts {
				if pool.holds(p) {
					count += p.buf.count
					size += p.buf.size + p.overhead
					if at := p.buf.arrived(); at.Before(oldest) {
						oldest = at
					}
				}
			}
			if pool.count != count || pool.size != size {
				t.Fatalf("the pool says %d records, %d bytes; its partitions have %d, %d", pool.count, pool.size, count, size)
			}
			if end, ok := pool.deadline(l); ok != (count > 0) || ok && !end.Equal(oldest.Add(l.window)) {
				t.Fatalf("the deadline is %v, want the oldest arrival %v and the window %v", end, oldest, l.window)
			}
		}
		for range 10_000 {
			for p := range flying {
				delete(flying, p)
				p.popWork()
				if p.buf.count > 0 {
					pool.add(p)
				}
			}
			if pool.count == 0 {
				break
			}
			take()
		}
		for i := range parts {
			if !slices.Equal(in[i], out[i]) {
				t.Fatalf("partition %d: in %v\nout %v", i, in[i], out[i])
			}
		}
	})
}

// With P backlogged partitions and W ≤ P workers, W invocations run: a batch takes from one partition that can fill it
// at most, however many small ones it swept up before.
func TestPoolKeepsWorkersBusy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := limits{size: rapid.IntRange(1, 10).Draw(t, "BatchSize"), payload: 6 << 20, envelope: 100}
		backlogged := rapid.IntRange(1, 6).Draw(t, "P")
		small := rapid.IntRange(0, 6).Draw(t, "small")
		workers := rapid.IntRange(1, backlogged).Draw(t, "W")
		arrivals := rapid.Permutation(slices.Repeat([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 1)).Draw(t, "order")
		var pool pool
		for i := range backlogged + small {
			p := newTestPartition(int32(i))
			n := l.size + rapid.IntRange(0, 10).Draw(t, "more")
			if i >= backlogged {
				n = rapid.IntRange(1, l.size).Draw(t, "few")
			}
			records := drawRecords(t, p.TopicPartition, 0, n)
			p.buf.add(chunk{records: records, arrived: time.Unix(int64(arrivals[i]), 0), size: sizeOf(records), largest: largestOf(records)})
			pool.add(p)
		}
		for w := range workers {
			if _, count, _ := pool.take(l); count != l.size {
				t.Fatalf("worker %d of %d got %d records, want a full batch of %d", w+1, workers, count, l.size)
			}
		}
	})
}

// A queue gives its partitions in the order of their times, whatever is taken out of its middle.
func TestQueueProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		in := make(map[*partition]time.Time)
		for i := range rapid.IntRange(0, 40).Draw(t, "n") {
			p := newTestPartition(int32(i))
			in[p] = time.Unix(int64(rapid.IntRange(0, 20).Draw(t, "at")), 0)
			q.add(p, in[p])
			if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				gone := q.items[rapid.IntRange(0, len(q.items)-1).Draw(t, "which")]
				q.remove(gone)
				delete(in, gone)
				if gone.place.q != nil {
					t.Fatal("what was removed still stands in the queue")
				}
			}
		}
		last := time.Time{}
		for q.head() != nil {
			p := q.head()
			at, there := in[p]
			if !there || at.Before(last) || !p.place.at.Equal(at) {
				t.Fatalf("%s at %v behind %v", p.key, at, last)
			}
			last = at
			delete(in, p)
			q.remove(p)
		}
		if len(in) > 0 {
			t.Fatalf("%d partitions were lost", len(in))
		}
	})
}

// Whatever a policy makes of a failed unit, nothing of it is lost: what failed is tried again or given up, in order.
func TestRetryPolicyProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawRecords(t, TopicPartition{Topic: "t"}, 0, rapid.IntRange(1, 12).Draw(t, "n"))
		u := unit{records: slices.Clone(records), size: sizeOf(records), held: rapid.IntRange(0, 10_000).Draw(t, "held")}
		pol := retryPolicy{maxAttempts: rapid.IntRange(-1, 3).Draw(t, "max"), bisect: rapid.Bool().Draw(t, "bisect"), partial: true}
		now := time.Unix(1000, 0)
		out := rapid.SampledFrom([]outcome{succeeded, failed, throttled, permanent}).Draw(t, "outcome")
		var items []int
		failedRecords := records
		partial := out != succeeded && rapid.Bool().Draw(t, "partial")
		if partial {
			failedRecords = nil
			for i := range records {
				if rapid.Bool().Draw(t, fmt.Sprint("fails", i)) {
					items = append(items, i)
					failedRecords = append(failedRecords, records[i])
				}
			}
		}
		next, gone, why := pol.apply(u, out, partial, items, now)
		var left []int64
		held, size := 0, 0
		for _, n := range next {
			if len(n.records) == 0 {
				t.Fatal("an empty unit")
			}
			if n.size != sizeOf(n.records) {
				t.Fatalf("a unit says %d bytes, it measures %d", n.size, sizeOf(n.records))
			}
			if n.firstFailure.IsZero() {
				t.Fatal("a unit that failed has no first failure")
			}
			if n.attempts > 0 && pol.maxAttempts >= 0 && n.attempts > pol.maxAttempts {
				t.Fatalf("%d attempts with MaximumRetryAttempts %d", n.attempts, pol.maxAttempts)
			}
			held += n.held
			size += n.size
			for _, r := range n.records {
				left = append(left, r.Offset)
			}
		}
		if held > u.held || size > u.size {
			t.Fatalf("parts hold %d, %d bytes; the whole held %d, %d", held, size, u.held, u.size)
		}
		for _, r := range gone {
			left = append(left, r.Offset)
		}
		var want []int64
		if out != succeeded {
			for _, r := range failedRecords {
				want = append(want, r.Offset)
			}
		}
		if !slices.Equal(left, want) || (len(gone) > 0) != (why != 0) {
			t.Fatalf("%v failed, %v are left, %d given up for %v", want, left, len(gone), why)
		}
		if out == throttled && len(gone) > 0 || out == permanent && len(next) > 0 {
			t.Fatalf("outcome %d: %d next, %d gone", out, len(next), len(gone))
		}
	})
}

func TestDropExpiredProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, maxAge := time.UnixMilli(1_000_000), 100*time.Second
		u := unit{records: drawRecords(t, TopicPartition{Topic: "t"}, 0, rapid.IntRange(1, 10).Draw(t, "n"))}
		var old, young []int64
		for i := range u.records {
			ts := rapid.SampledFrom([]int64{-1, 0, 899_999, 900_000, 999_999, 2_000_000}).Draw(t, "timestamp")
			u.records[i].Timestamp = ts
			if ts >= 0 && ts < 900_000 {
				old = append(old, u.records[i].Offset)
			} else {
				young = append(young, u.records[i].Offset)
			}
		}
		u.size = sizeOf(u.records)
		gone := u.dropExpired(now, maxAge)
		offsets := func(records []KafkaRecord) (o []int64) {
			for _, r := range records {
				o = append(o, r.Offset)
			}
			return o
		}
		if !slices.Equal(offsets(gone), old) || !slices.Equal(offsets(u.records), young) || u.size != sizeOf(u.records) {
			t.Fatalf("dropped %v, kept %v; want %v and %v", offsets(gone), offsets(u.records), old, young)
		}
	})
}

// Pauses lie between half and the whole of the exponential, never over the bound, and a seed gives the same ones again.
func TestBackoffProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "first"))
		b := backoff{first, first + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "more"))}
		n, seed := rapid.IntRange(1, 200).Draw(t, "n"), rapid.Uint64().Draw(t, "seed")
		whole := b.after(n, nil)
		if whole > b.most || whole < b.first || n > 1 && whole < b.after(n-1, nil) {
			t.Fatalf("after %d failures: %v of %+v", n, whole, b)
		}
		got := b.after(n, rand.New(rand.NewPCG(seed, 1)))
		if got < whole/2 || got > whole {
			t.Fatalf("jitter made %v of %v", got, whole)
		}
		if again := b.after(n, rand.New(rand.NewPCG(seed, 1))); again != got {
			t.Fatalf("the same seed gave %v, then %v", got, again)
		}
	})
}

// The circuit opens after Failures in a row on two partitions at least where there are two, and only a success closes it.
func TestBreakerProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := breaker{CircuitBreaker: CircuitBreaker{Failures: rapid.IntRange(1, 5).Draw(t, "failures"), Cooldown: 10 * time.Second},
			enabled: true, failing: make(map[TopicPartition]struct{})}
		assigned := rapid.IntRange(1, 3).Draw(t, "assigned")
		parts := make([]*partition, assigned)
		for i := range parts {
			parts[i] = newTestPartition(int32(i))
		}
		now := time.Unix(1000, 0)
		streak, failing, until := 0, map[int]bool{}, time.Time{}
		open := false
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "s")) * time.Second)
			if rapid.IntRange(0, 4).Draw(t, "ok") == 0 {
				if closed := b.succeeded(); closed != open {
					t.Fatalf("a success closed %t, want %t", closed, open)
				}
				streak, failing, open = 0, map[int]bool{}, false
			} else {
				i := rapid.IntRange(0, assigned-1).Draw(t, "p")
				streak++
				failing[i] = true
				opens := !open && streak >= b.Failures && len(failing) >= min(2, assigned)
				if opened := b.failed(now, []part{{p: parts[i]}}, assigned); opened != opens {
					t.Fatalf("failure %d on %d partitions opened %t, want %t", streak, len(failing), opened, opens)
				}
				if open = open || opens; open {
					until = now.Add(b.Cooldown)
				}
			}
			for _, busy := range []int{0, 1} {
				want := !open || busy == 0 && !now.Before(until)
				if got := b.allows(now, busy); got != want {
					t.Fatalf("allows %t with %d under way, want %t", got, busy, want)
				}
			}
		}
	})
}

// While pauses are obeyed within one fetch, the budget is passed by one fetch a partition at most, and a partition that
// holds less than its share is never refused.
func TestBudgetProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := budget{limit: rapid.IntRange(1000, 100_000).Draw(t, "limit")}
		held := make([]int, rapid.IntRange(1, 8).Draw(t, "partitions"))
		b.partitions.Store(int64(len(held)))
		fetch := rapid.IntRange(1, 5000).Draw(t, "fetch")
		paused := make([]bool, len(held))
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			i := rapid.IntRange(0, len(held)-1).Draw(t, "i")
			if paused[i] {
				continue
			}
			held[i] += fetch
			b.used.Add(int64(fetch))
			paused[i] = b.full(held[i])
			if paused[i] && held[i] < b.share() {
				t.Fatalf("paused at %d, under its share of %d", held[i], b.share())
			}
			if used := int(b.used.Load()); used > b.limit+len(held)*fetch {
				t.Fatalf("%d used of %d, fetches bring %d", used, b.limit, fetch)
			}
		}
		if b.ample() && b.scarce() {
			t.Fatal("ample and scarce at once")
		}
	})
}

// itemsIn finds exactly the records named, once each.
func TestItemsIn(t *testing.T) {
	p := newTestPartition(0)
	q := newTestPartition(1)
	records := func(offsets ...int64) []KafkaRecord {
		out := make([]KafkaRecord, len(offsets))
		for i, o := range offsets {
			out[i].Offset = o
		}
		return out
	}
	parts := []part{{p, records(3, 5, 9)}, {q, records(3, 4)}}
	id := func(p string, o int64) ItemID { return ItemID{Partition: p, Offset: o} }
	got, ok := itemsIn(parts, []ItemID{id("t-0", 9), id("t-1", 3), id("t-0", 3), id("t-0", 9)})
	if !ok || fmt.Sprint(got) != "[[0 2] [0]]" {
		t.Errorf("itemsIn = %v, %t", got, ok)
	}
	for _, unknown := range []ItemID{id("t-0", 4), id("t-2", 3), id("", 3), id("t-1", 9)} {
		if _, ok := itemsIn(parts, []ItemID{id("t-0", 3), unknown}); ok {
			t.Errorf("itemsIn found %+v", unknown)
		}
	}
}

// The position is never behind an unresolved record, in whatever state a partition is.
func TestPositionProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newTestPartition(0)
		p.next = int64(rapid.IntRange(0, 5).Draw(t, "start"))
		var unresolved []int64
		var pool pool
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch {
			case rapid.Bool().Draw(t, "add"):
				records := drawRecords(t, p.TopicPartition, p.next, rapid.IntRange(1, 6).Draw(t, "n"))
				p.next = records[len(records)-1].Offset + 1
				for _, r := range records {
					unresolved = append(unresolved, r.Offset)
				}
				p.buf.add(chunk{records: records, size: sizeOf(records), largest: largestOf(records)})
			case len(p.work) == 0 && p.buf.count > 0:
				pool.add(p)
				pool.take(limits{size: 4, payload: 1 << 20})
			case len(p.work) > 0:
				pol := retryPolicy{maxAttempts: 1, bisect: true}
				u := p.work[0]
				next, gone, _ := pol.apply(u, rapid.SampledFrom([]outcome{succeeded, failed}).Draw(t, "outcome"), false, nil, time.Unix(1, 0))
				p.popWork(next...)
				if len(next) == 0 || len(gone) > 0 {
					unresolved = unresolved[len(u.records):]
				}
			}
			want := p.next
			if len(unresolved) > 0 {
				want = unresolved[0]
			}
			if p.position() != want || p.buffered() != len(unresolved) {
				t.Fatalf("position %d, %d buffered; want %d and %d", p.position(), p.buffered(), want, len(unresolved))
			}
		}
	})
}

func TestPauseReasons(t *testing.T) {
	for r, want := range map[pauseReason]string{0: "", pausedByUser: "paused", pausedByBudget | pausedByBreaker: "buffer full,circuit open"} {
		if r.String() != want {
			t.Errorf("%d is %q, want %q", r, r, want)
		}
	}
}
