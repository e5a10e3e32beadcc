package partition

import (
	"slices"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
)

// The handler owns the records that it gets: it may sort, truncate and overwrite them. So before a batch's first
// invocation the engine makes a copy, and relies only on that: for positions, items, retries and drops. The bytes of keys
// and values are not copied; the documentation tells handlers not to change them.

// HandOut returns the records to pass to the handler. On the first attempt these are the slices that the client filled,
// and the engine keeps a copy; on a retry they are a copy of what the engine kept.
func (inv *Invocation) HandOut(copies *batch.Copies) map[string][]event.KafkaRecord {
	records := make(map[string][]event.KafkaRecord, len(inv.Parts))
	for i := range inv.Parts {
		part := &inv.Parts[i]
		u := &part.Work[0]
		if u.Kept {
			again := slices.Clone(part.Records)
			batch.OwnHeaders(again, nil)
			records[part.Key] = again
			continue
		}
		records[part.Key] = part.Records
		if inv.Copy == nil {
			inv.Copy = copies.Get(inv.Records)
		}
		part.Records = inv.Copy.Add(part.Records)
		u.Records, u.Kept = part.Records, true
	}
	return records
}
