package event

import (
	"strconv"
	"time"
)

// LogPosition is a position in a partition's log. Create it with ToEarliest, ToLatest, ToTime or ToOffset. The zero
// value is not a position.
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

// ToEarliest is the first record still in the log, like TRIM_HORIZON.
func ToEarliest() LogPosition { return LogPosition{kind: earliest} }

// ToLatest is the end of the log: the next record to be written, like LATEST.
func ToLatest() LogPosition { return LogPosition{kind: latest} }

// ToTime is the first record whose timestamp is t or later, like AT_TIMESTAMP, or the end of the log if there is none.
// Kafka's resolution is a millisecond.
func ToTime(t time.Time) LogPosition { return LogPosition{kind: atTime, at: t} }

// ToOffset is the record with offset n, or the next one in the log.
func ToOffset(n int64) LogPosition { return LogPosition{kind: atOffset, offset: n} }

// IsEarliest reports whether p is ToEarliest.
func (p LogPosition) IsEarliest() bool { return p.kind == earliest }

// IsLatest reports whether p is ToLatest.
func (p LogPosition) IsLatest() bool { return p.kind == latest }

// Time returns the time of a ToTime position.
func (p LogPosition) Time() (t time.Time, ok bool) { return p.at, p.kind == atTime }

// Offset returns the offset of a ToOffset position.
func (p LogPosition) Offset() (n int64, ok bool) { return p.offset, p.kind == atOffset }

// String returns "earliest", "latest", a time in RFC 3339 format, "offset" and the offset, or "nowhere" for the zero
// value.
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
