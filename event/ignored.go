package event

import (
	"context"
	"sync/atomic"
)

type ignoredKey struct{}

// WithIgnoredItems returns a context on which [IgnoredItems] adds to ignored. A mapping without ReportBatchItemFailures
// creates one for each invocation.
func WithIgnoredItems(ctx context.Context, ignored *atomic.Int64) context.Context {
	return context.WithValue(ctx, ignoredKey{}, ignored)
}

// IgnoredItems tells the mapping that the function reported this many records as failed, and that the report is ignored
// because FunctionResponseTypes does not have ReportBatchItemFailures. The mapping shows that in its Status and its
// log. IgnoredItems reports whether ctx belongs to such a mapping. It is for targets, which read Lambda's responses.
func IgnoredItems(ctx context.Context, items int) (told bool) {
	ignored, told := ctx.Value(ignoredKey{}).(*atomic.Int64)
	if told {
		ignored.Add(int64(items))
	}
	return told
}
