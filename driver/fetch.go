package driver

import (
	"slices"
	"unsafe"

	"github.com/esm-go/esm/event"
)

// Fetch is what one Poll answers. The slices are used again by the next Poll into the same Fetch; the records in the
// runs are not, but for those that the receiver gives back.
type Fetch struct {
	Runs   []Run
	Errors []*Error

	lent  [][]event.KafkaRecord // since the last Reset
	spare [][]event.KafkaRecord // the latest last
}

// maxSpare is how many slabs of records a Fetch keeps: about those of one Poll over the partitions of a busy consumer.
const maxSpare = 16

// Reset empties the fetch and keeps its memory; what was given back it keeps only from a Poll that took records to the next
// that does, so that an idle one holds none.
func (f *Fetch) Reset() {
	clear(f.Runs)
	clear(f.Errors)
	f.Runs, f.Errors = f.Runs[:0], f.Errors[:0]
	if len(f.lent) == 0 {
		clear(f.spare)
		f.spare = f.spare[:0]
	}
	clear(f.lent)
	f.lent = f.lent[:0]
}

// Records returns n empty records for a driver to fill: of what was given back, where that is large enough and not far too
// large, or new ones.
func (f *Fetch) Records(n int) []event.KafkaRecord {
	for i, slab := range slices.Backward(f.spare) {
		if n <= cap(slab) && cap(slab) <= 2*n {
			f.spare = slices.Delete(f.spare, i, i+1)
			f.lent = append(f.lent, slab)
			return slab[:n]
		}
	}
	slab := make([]event.KafkaRecord, n)
	f.lent = append(f.lent, slab)
	return slab
}

// GiveBack tells that nobody needs the records of a run any more, as where a filter left none of them: it clears them, and a
// later Poll may use their memory where they are all that there is of a slab that Records returned since the last Reset: the
// run has the slab's first record and its capacity.
func (f *Fetch) GiveBack(records []event.KafkaRecord) {
	clear(records)
	i := slices.IndexFunc(f.lent, func(slab []event.KafkaRecord) bool {
		return len(records) > 0 && unsafe.SliceData(slab) == unsafe.SliceData(records) && cap(slab) == cap(records)
	})
	if i < 0 {
		return
	}
	if len(f.spare) == maxSpare {
		f.spare = slices.Delete(f.spare, 0, 1) // the oldest, which has fitted nothing for long
	}
	f.spare = append(f.spare, f.lent[i])
	f.lent[i] = nil
}
