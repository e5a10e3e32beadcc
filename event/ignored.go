package event

import "context"

type ignoredKey struct{}

// WithIgnoredItems returns a context on which [IgnoredItems] calls ignored. A mapping without ReportBatchItemFailures makes
// one for each invocation; ignored must be safe for concurrent use.
func WithIgnoredItems(ctx context.Context, ignored func(items int)) context.Context {
	return context.WithValue(ctx, ignoredKey{}, ignored)
}

// IgnoredItems tells the mapping that the function named so many records as failed, which counts for nothing: its
// FunctionResponseTypes does not have ReportBatchItemFailures. The mapping shows that in its Status and its log. It reports
// whether ctx is of such a mapping; for targets, which read Lambda's answers.
func IgnoredItems(ctx context.Context, items int) (told bool) {
	ignored, told := ctx.Value(ignoredKey{}).(func(int))
	if told {
		ignored(items)
	}
	return told
}
