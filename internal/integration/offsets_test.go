package integration

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// offsets returns the offsets of the handled records of all given processes, by partition, in the order of
// handling.
func offsets(topic string, ps ...*process) map[int32][]int64 {
	got := map[int32][]int64{}
	for _, p := range ps {
		p.mu.Lock()
		for tp, rs := range p.records {
			if tp.Topic != topic {
				continue
			}
			for i := range rs {
				got[tp.Partition] = append(got[tp.Partition], rs[i].Offset)
			}
		}
		p.mu.Unlock()
	}
	return got
}

// span returns from, from+1 … to-1.
func span(from, to int64) []int64 {
	s := make([]int64, 0, to-from)
	for ; from < to; from++ {
		s = append(s, from)
	}
	return s
}

// wantOffsets fails the test if the handled offsets are not those wanted; partitions without any are ignored.
func wantOffsets(t testing.TB, got, want map[int32][]int64) {
	t.Helper()
	for _, p := range slices.Sorted(maps.Keys(merged(got, want))) {
		if !slices.Equal(got[p], want[p]) {
			t.Errorf("partition %d: handled %s, want %s", p, brief(got[p]), brief(want[p]))
		}
	}
}

func merged(a, b map[int32][]int64) map[int32][]int64 {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// brief formats the ends of a list.
func brief(s []int64) string {
	if len(s) <= 8 {
		return fmt.Sprint(s)
	}
	return fmt.Sprintf("%d offsets %v … %v", len(s), s[:3], s[len(s)-3:])
}
