package mapping

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// epochSeconds is a time whose JSON is a number of seconds since the Unix epoch, as on AWS's wire.
type epochSeconds struct{ time.Time }

// maxEpochSeconds is the end of the year 9999, the last year that RFC 3339 can express.
const maxEpochSeconds = 253402300799

func (t epochSeconds) MarshalJSON() ([]byte, error) {
	seconds, nanos := t.Unix(), t.Nanosecond()
	if seconds < 0 && nanos > 0 { // Unix rounds down; the decimal number is rounded towards zero
		seconds, nanos = seconds+1, int(time.Second)-nanos
		if seconds == 0 {
			return append([]byte("-0."), fraction(nanos)...), nil
		}
	}
	out := strconv.AppendInt(nil, seconds, 10)
	if nanos > 0 {
		out = append(append(out, '.'), fraction(nanos)...)
	}
	return out, nil
}

// fraction formats nanoseconds as the decimals of a second.
func fraction(nanos int) string {
	text := strconv.Itoa(int(time.Second) + nanos)[1:]
	return strings.TrimRight(text, "0")
}

func (t *epochSeconds) UnmarshalJSON(data []byte) error {
	wrong := func(reason string) error {
		return &FieldError{Field: "StartingPositionTimestamp", Value: string(data), Reason: reason}
	}
	if bytes.HasPrefix(data, []byte(`"`)) {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
		parsed, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return wrong("want seconds since the Unix epoch, or a text in RFC 3339 such as 2026-01-02T15:04:05Z")
		}
		t.Time = parsed.UTC()
		return nil
	}
	number := string(data)
	approximate, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return wrong("want seconds since the Unix epoch")
	}
	if math.Abs(approximate) > maxEpochSeconds {
		return wrong("is beyond the year 9999: want seconds since the Unix epoch, not milliseconds")
	}
	whole, decimals, _ := strings.Cut(number, ".")
	if strings.ContainsAny(number, "eE") { // 1.7e9: exact enough as a float
		number = strconv.FormatFloat(approximate, 'f', 9, 64)
		whole, decimals, _ = strings.Cut(number, ".")
	}
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return wrong("want seconds since the Unix epoch")
	}
	nanos, err := strconv.ParseInt((decimals + "000000000")[:9], 10, 64)
	if err != nil {
		return wrong("want seconds since the Unix epoch")
	}
	if strings.HasPrefix(whole, "-") {
		nanos = -nanos
	}
	t.Time = time.Unix(seconds, nanos).UTC()
	return nil
}
