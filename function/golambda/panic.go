package golambda

import (
	"fmt"
	"runtime"

	"github.com/aws/aws-lambda-go/lambda/messages"

	"github.com/esm-go/esm/function"
)

// panicked returns the answer for a handler that panicked, as aws-lambda-go reports it. The deferred func must call it.
func panicked(v any) function.Answer {
	err, _ := v.(error)
	if e, ok := v.(messages.InvokeResponse_Error); ok {
		return answerOf(body{e.Message, e.Type, e.StackTrace}, err)
	}
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs[:])]) // skip Callers, panicked, the deferred func and gopanic
	b := body{Message: fmt.Sprint(v), Type: typeName(v)}
	for {
		frame, more := frames.Next()
		b.StackTrace = append(b.StackTrace, &messages.InvokeResponse_Error_StackFrame{Path: frame.File, Line: int32(frame.Line), Label: frame.Function})
		if !more {
			return answerOf(b, err)
		}
	}
}
