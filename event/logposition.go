package event

import (
	"strconv"
	"time"
)

// LogPosition is a place in a partition's log. Make it with ToEarliest, ToLatest, ToTime or ToOffset; the zero value names none.
type LogPosition struct {
	kind   logPositionKind
	offset int64
	at     time.Time
}

type logPositionKind uint8

const (
	earliest logPositionKind = iota + 1
	latest
	atTime
	atOffset
)

// ToEarliest is the first record that the log still has, as TRIM_HORIZON names it.
func ToEarliest() LogPosition { return LogPosition{kind: earliest} }

// ToLatest is the end of the log: the next record to be written, as LATEST names it.
func ToLatest() LogPosition { return LogPosition{kind: latest} }

// ToTime is the first record whose timestamp is t or later, as AT_TIMESTAMP names it; the end of the log where there is
// none. Kafka counts milliseconds.
func ToTime(t time.Time) LogPosition { return LogPosition{kind: atTime, at: t} }

// ToOffset is the record with an offset, or the next one that the log has.
func ToOffset(n int64) LogPosition { return LogPosition{kind: atOffset, offset: n} }

// IsEarliest reports whether it is ToEarliest.
func (p LogPosition) IsEarliest() bool { return p.kind == earliest }

// IsLatest reports whether it is ToLatest.
func (p LogPosition) IsLatest() bool { return p.kind == latest }

// Time returns the time of ToTime.
func (p LogPosition) Time() (t time.Time, ok bool) { return p.at, p.kind == atTime }

// Offset returns the offset of ToOffset.
func (p LogPosition) Offset() (n int64, ok bool) { return p.offset, p.kind == atOffset }

// String names the place: earliest, latest, a time as RFC 3339 has it, or an offset; "nowhere" for the zero value.
func (p LogPosition) String() string {
	switch p.kind {
	case earliest:
		return "earliest"
	case latest:
		return "latest"
	case atTime:
		return p.at.UTC().Format(time.RFC3339Nano)
	case atOffset:
		return "offset " + strconv.FormatInt(p.offset, 10)
	}
	return "nowhere"
}
