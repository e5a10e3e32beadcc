// Package rdkafka has librdkafka's errors in a form that needs no cgo, so that package auth can tell what they mean in a
// program that does not link librdkafka. driver/confluent makes them.
package rdkafka

import "strconv"

// Error is an error of librdkafka. A driver fills it from a kafka.Error: Code from Code(), Name from Code().String(), Text
// from Error().
type Error struct {
	// Code is librdkafka's error code: negative for its own, else the broker's.
	Code int
	// Name is the code's name or short text; it may be empty.
	Name string
	// Text is the whole message. librdkafka says the reason only here.
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
