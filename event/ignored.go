package event

import (
	"context"
	"sync/atomic"
)

type ignoredKey struct{}

// WithIgnoredItems returns a context on which [IgnoredItems] adds to ignored. A mapping without ReportBatchItemFailures makes
// one for each invocation.
func WithIgnoredItems(ctx context.Context, ignored *atomic.Int64) context.Context {
	return context.WithValue(ctx, ignoredKey{}, ignored)
}

// IgnoredItems tells the mapping that the function named so many records as failed, which counts for nothing: its
// FunctionResponseTypes does not have ReportBatchItemFailures. The mapping shows that in its Status and its log. It reports
// whether ctx is of such a mapping; for targets, which read Lambda's answers.
func IgnoredItems(ctx context.Context, items int) (told bool) {
	ignored, told := ctx.Value(ignoredKey{}).(*atomic.Int64)
	if told {
		ignored.Add(int64(items))
	}
	return told
}
