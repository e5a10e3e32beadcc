package partition

import (
	"slices"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
)

// What a handler is given is the handler's: it may sort, truncate and overwrite it. So the engine keeps a copy of a batch
// from before its first invocation, and goes by that alone: positions, items, retries, drops. Of the bytes of keys and
// values, which the doc tells handlers to leave as they are, there is no copy.

// HandOut makes what the handler gets of a batch. Of a first try that is what the client made, and the engine goes on with
// a copy; of another one it is a copy of what the engine kept.
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
