// Package rdkafka represents librdkafka's errors without cgo, so that package auth can interpret them in a program that
// does not link librdkafka. driver/confluent creates them.
package rdkafka

import "strconv"

// Error is an error of librdkafka. A driver fills it from a kafka.Error: Code from Code(), Name from Code().String(),
// Text from Error().
type Error struct {
	// Code is librdkafka's error code: negative for its own errors, otherwise the broker's.
	Code int
	// Name is the code's name or short text. It may be empty.
	Name string
	// Text is the whole message. Only here does librdkafka give the reason.
	Text string
}

// Error returns Text, or Name, or the code.
func (e *Error) Error() string {
	switch {
	case e.Text != "":
		return e.Text
	case e.Name != "":
		return e.Name
	}
	return "librdkafka error " + strconv.Itoa(e.Code)
}
