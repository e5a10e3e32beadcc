package batch

import (
	"slices"
	"time"

	"github.com/esm-go/esm/event"
)

// Unit is a piece of work of one partition: records that go to the handler together, with the history that they share.
// Every record of a unit has failed as many times as the unit.
type Unit struct {
	Records     []event.KafkaRecord
	LeaderEpoch int32
	Arrived     time.Time // of the first record, at this member
	// Size is the records' encoded size, Held the memory that they keep alive.
	Size, Held int
	// Own is whether the records are copies, which keep nothing else alive.
	Own bool
	// Kept is whether the slice is the engine's copy, which no handler has been given.
	Kept bool
	// Attempts counts the failed invocations that count toward MaximumRetryAttempts. Tries counts all failed ones.
	Attempts     int
	Tries        int
	FirstFailure time.Time
}

// First returns the offset of the unit's head record.
func (u *Unit) First() int64 { return u.Records[0].Offset }

// Last returns the offset of the unit's last record.
func (u *Unit) Last() int64 { return u.Records[len(u.Records)-1].Offset }

// Split cuts the unit before its i-th record. Both parts keep its history.
func (u *Unit) Split(i int) (a, b Unit) {
	a, b = *u, *u
	a.Records, b.Records = u.Records[:i:i], u.Records[i:]
	a.Size = EncodedSize(a.Records)
	a.Held = int(int64(u.Held) * int64(i) / int64(len(u.Records)))
	b.Size, b.Held = u.Size-a.Size, u.Held-a.Held
	return a, b
}

// Keep reduces the unit to the records at the given sorted indexes. Its held memory stays the same, since the records
// share it.
func (u *Unit) Keep(indexes []int) {
	if len(indexes) == len(u.Records) {
		return
	}
	records := make([]event.KafkaRecord, len(indexes))
	for k, i := range indexes {
		records[k] = u.Records[i]
	}
	u.Records, u.Size = records, EncodedSize(records)
}

// DropExpired removes the records older than maxAge, by their timestamps, and returns them. A record without a timestamp
// never expires.
func (u *Unit) DropExpired(now time.Time, maxAge time.Duration) []event.KafkaRecord {
	limit := now.Add(-maxAge).UnixMilli()
	expired := func(r event.KafkaRecord) bool { return r.Timestamp >= 0 && r.Timestamp < limit }
	if !slices.ContainsFunc(u.Records, expired) {
		return nil
	}
	var gone []event.KafkaRecord
	var stay []int
	for i, r := range u.Records {
		if expired(r) {
			gone = append(gone, r)
		} else {
			stay = append(stay, i)
		}
	}
	u.Keep(stay)
	return gone
}
