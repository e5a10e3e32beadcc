package function

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// Error is a function error: the function was invoked and failed. The batch fails and an attempt is used.
//
// It logs as a group, with long messages and stacks truncated; the fields hold the full text.
type Error struct {
	// Function is the function's name, RequestID the ID of the invocation.
	Function, RequestID string
	// Type, Message and StackTrace are the payload's errorType, errorMessage and stackTrace (Node: trace). Errors
	// raised by Lambda itself have their own types: Sandbox.Timedout, Runtime.ExitError, Function.ResponseSizeTooLarge.
	Type, Message string
	StackTrace    []string
	// FunctionError is Unhandled or Handled, StatusCode the status of the invocation (200 for a function error), and
	// ExecutedVersion the version that ran, empty if unknown. They form the responseContext of a failure record.
	FunctionError, ExecutedVersion string
	StatusCode                     int
	// Err is the Go error that a function in this process returned. It is nil for other targets.
	Err error
}

// Error returns the function, the type and the message.
func (e *Error) Error() string {
	text := clip(e.Message, 1024)
	if e.Type != "" {
		text = e.Type + ": " + text
	}
	return "function " + e.Function + " failed: " + text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// LogValue returns the error as a log group.
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("function", e.Function), slog.String("requestId", e.RequestID),
		slog.String("errorType", e.Type), slog.String("errorMessage", clip(e.Message, 1024))}
	if e.ExecutedVersion != "" {
		attrs = append(attrs, slog.String("executedVersion", e.ExecutedVersion))
	}
	if len(e.StackTrace) > 0 {
		attrs = append(attrs, slog.String("stackTrace", clip(strings.Join(e.StackTrace, "\n"), 4096)))
	}
	return slog.GroupValue(attrs...)
}

// parseError reads the payload of a function error. A payload that does not have Lambda's form becomes the message.
func parseError(payload []byte) *Error {
	var body struct {
		ErrorType    string            `json:"errorType"`
		ErrorMessage any               `json:"errorMessage"`
		StackTrace   []json.RawMessage `json:"stackTrace"`
		Trace        []json.RawMessage `json:"trace"`
	}
	if json.Unmarshal(payload, &body) != nil {
		return &Error{Message: strings.ToValidUTF8(string(payload), "\uFFFD")}
	}
	e := &Error{Type: body.ErrorType}
	switch m := body.ErrorMessage.(type) {
	case nil:
	case string:
		e.Message = m
	default:
		e.Message = fmt.Sprint(m)
	}
	if e.Type == "" && e.Message == "" {
		e.Message = string(payload)
	}
	for _, frame := range append(body.StackTrace, body.Trace...) {
		e.StackTrace = append(e.StackTrace, parseFrame(frame))
	}
	return e
}

// parseFrame reads a stack frame: a string (Python, Node, Java), Go's {path,line,label}, or else the raw JSON.
func parseFrame(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return strings.TrimRight(text, "\n")
	}
	var frame struct {
		Path  string `json:"path"`
		Line  int    `json:"line"`
		Label string `json:"label"`
	}
	if json.Unmarshal(raw, &frame) == nil && frame.Path != "" {
		return fmt.Sprintf("%s:%d %s", frame.Path, frame.Line, frame.Label)
	}
	return string(raw)
}

// LooksLikeError reports whether a payload has the members errorType and errorMessage. The runtime interface emulator
// gives no other sign of a function error.
func LooksLikeError(payload []byte) bool {
	if !bytes.Contains(payload, []byte(`"errorType"`)) || !bytes.Contains(payload, []byte(`"errorMessage"`)) {
		return false
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(payload, &body) != nil {
		return false
	}
	return body["errorType"] != nil && body["errorMessage"] != nil
}

// clip truncates s to at most n bytes plus an ellipsis, without splitting a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// ErrorText returns the errorType and errorMessage of a function error's payload. A payload that does not have Lambda's
// form is returned as the message.
func ErrorText(payload []byte) (errorType, errorMessage string) {
	e := parseError(payload)
	return e.Type, e.Message
}
