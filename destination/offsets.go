package destination

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/esm-go/esm/event"
)

// Offsets are the offsets of one partition of a failure, as gapless runs in ascending order.
type Offsets struct {
	Topic     string
	Partition int32
	Runs      []OffsetRun
}

// OffsetRun is the range of offsets from First to Last, inclusive.
type OffsetRun struct{ First, Last int64 }

// Offsets returns the exact offsets of the failure's records. The documents of batches contain only the first and the
// last offset of each partition. Records between them may have been handled, filtered out or missing.
func (f *Failure) Offsets() []Offsets {
	var all []Offsets
	for _, key := range f.Partitions() {
		records := f.Event.Records[key]
		o := Offsets{Topic: records[0].Topic, Partition: records[0].Partition}
		for i := range records {
			at := records[i].Offset
			if n := len(o.Runs); n > 0 && o.Runs[n-1].Last+1 == at {
				o.Runs[n-1].Last = at
			} else {
				o.Runs = append(o.Runs, OffsetRun{at, at})
			}
		}
		all = append(all, o)
	}
	sortOffsets(all)
	return all
}

func sortOffsets(all []Offsets) {
	slices.SortFunc(all, func(a, b Offsets) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}

// FormatOffsets formats offsets as text, such as "orders 0:5-7,9 2:1;returns 0:3". Within a partition, each number
// after the first is the distance to the previous one: 5-7,9 is written 5-2,2.
func FormatOffsets(all []Offsets) string {
	var b []byte
	topic := ""
	for i, o := range all {
		switch {
		case i == 0:
			b = append(b, o.Topic...)
		case o.Topic != topic:
			b = append(b, ';')
			b = append(b, o.Topic...)
		}
		topic = o.Topic
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(o.Partition), 10)
		before := int64(0)
		for j, run := range o.Runs {
			if j == 0 {
				b = append(b, ':')
			} else {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, run.First-before, 10)
			if run.Last > run.First {
				b = append(b, '-')
				b = strconv.AppendInt(b, run.Last-run.First, 10)
			}
			before = run.Last
		}
	}
	return string(b)
}

// ParseOffsets parses the text that FormatOffsets writes.
func ParseOffsets(text string) ([]Offsets, error) {
	var all []Offsets
	for part := range strings.SplitSeq(text, ";") {
		words := strings.Split(part, " ")
		if words[0] == "" || len(words) < 2 {
			return nil, fmt.Errorf("destination: offsets %q: %q is not a topic with partitions", abbreviate(text), abbreviate(part))
		}
		for _, word := range words[1:] {
			o, err := parsePartition(word)
			if err != nil {
				return nil, fmt.Errorf("destination: offsets %q: %q: %w", abbreviate(text), abbreviate(word), err)
			}
			o.Topic = words[0]
			all = append(all, o)
		}
	}
	return all, nil
}

func parsePartition(word string) (Offsets, error) {
	number, runs, ok := strings.Cut(word, ":")
	if !ok {
		return Offsets{}, strconv.ErrSyntax
	}
	partition, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return Offsets{}, err
	}
	o := Offsets{Partition: int32(partition)}
	before := int64(0)
	for run := range strings.SplitSeq(runs, ",") {
		first, length, ranged := strings.Cut(run, "-")
		from, err := strconv.ParseUint(first, 10, 63)
		if err != nil {
			return Offsets{}, err
		}
		n := uint64(0)
		if ranged {
			if n, err = strconv.ParseUint(length, 10, 63); err != nil {
				return Offsets{}, err
			}
		}
		r := OffsetRun{First: before + int64(from)}
		r.Last = r.First + int64(n)
		if r.First < before || r.Last < r.First || len(o.Runs) > 0 && r.First == before {
			return Offsets{}, strconv.ErrRange
		}
		o.Runs = append(o.Runs, r)
		before = r.Last
	}
	return o, nil
}

// Contains reports whether an offset is in one of the runs.
func (o *Offsets) Contains(offset int64) bool {
	_, found := slices.BinarySearchFunc(o.Runs, offset, func(r OffsetRun, at int64) int {
		switch {
		case r.Last < at:
			return -1
		case r.First > at:
			return 1
		}
		return 0
	})
	return found
}

// Len returns the number of offsets.
func (o *Offsets) Len() int {
	n := 0
	for _, r := range o.Runs {
		n += int(r.Last - r.First + 1)
	}
	return n
}

// Key returns "topic-partition".
func (o *Offsets) Key() string { return event.PartitionKey(o.Topic, o.Partition) }

// abbreviate limits how much of its input an error quotes.
func abbreviate(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
