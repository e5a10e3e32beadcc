package chaos

import (
	"fmt"
	"slices"
	"sort"
)

// history is the result of a run: what the brokers hold, what the handlers recorded, what was committed, and
// when faults were injected.
type history struct {
	held    map[int32][]int64
	handled []batch
	commits map[int32][]commit
	faults  []span
}

// span is the time, in Unix microseconds, during which a fault can cause records to be delivered again.
type span struct {
	fault    string
	from, to int64
}

// judge returns every rule that a history breaks.
func (h *history) judge() (broken []string) {
	complain := func(format string, args ...any) {
		if len(broken) < 20 {
			broken = append(broken, fmt.Sprintf(format, args...))
		}
	}
	byPartition := map[int32][]batch{}
	for _, b := range h.handled {
		byPartition[b.partition] = append(byPartition[b.partition], b)
	}
	for partition, offsets := range h.held {
		batches := byPartition[partition]
		slices.SortFunc(batches, func(a, b batch) int { return int(a.end - b.end) })
		first := map[int64]int64{} // when each offset was first handled
		for _, b := range batches {
			for _, o := range b.offsets {
				before, again := first[o]
				if !again {
					first[o] = b.end
				} else if !h.explains(before, b.begin) {
					complain("partition %d: offset %d was handled again with no cause, after %d ms", partition, o, (b.begin-before)/1000)
				}
			}
		}
		// done[i] is when the first i records had all been handled.
		done := make([]int64, len(offsets)+1)
		for i, o := range offsets {
			at, ok := first[o]
			if !ok {
				complain("partition %d: offset %d was lost", partition, o)
				at = 1 << 62
			}
			done[i+1] = max(done[i], at)
			delete(first, o)
		}
		for o := range first {
			complain("partition %d: offset %d was handled and is not held", partition, o)
		}
		until := func(offset int64) int64 {
			return done[sort.Search(len(offsets), func(i int) bool { return offsets[i] >= offset })]
		}
		for _, b := range batches {
			if at := until(b.offsets[0]); at > b.begin {
				complain("partition %d: offset %d was handed over %d us before all earlier ones were handled, in %s", partition, b.offsets[0], at-b.begin, b.process)
			}
		}
		position := int64(-1)
		for _, c := range h.commits[partition] {
			if c.offset < position {
				complain("partition %d: the commit went back from %d to %d", partition, position, c.offset)
			}
			position = c.offset
			// The broker's clock has millisecond resolution.
			if at := until(c.offset); at/1000 > c.at {
				complain("partition %d: %d was committed %d ms before all earlier records were handled", partition, c.offset, at/1000-c.at)
			}
		}
	}
	return broken
}

// explains reports whether a fault occurred between the first time and the second.
func (h *history) explains(first, second int64) bool {
	return slices.ContainsFunc(h.faults, func(s span) bool { return s.from <= second && s.to >= first })
}

// repeats counts the records that were handled more than once.
func (h *history) repeats() (n int) {
	seen := map[[2]int64]bool{}
	for _, b := range h.handled {
		for _, o := range b.offsets {
			key := [2]int64{int64(b.partition), o}
			if seen[key] {
				n++
			}
			seen[key] = true
		}
	}
	return n
}
