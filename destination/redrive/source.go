package redrive

import "context"

// Source reads failures and stores their outcome. Its methods are called from one goroutine.
type Source interface {
	// Read returns the next failures: at least one, and no more once they have n records. It returns io.EOF when
	// everything that was there when the source was opened has been read; failures that go back are not read again.
	Read(ctx context.Context, n int) ([]*Item, error)
	// Done removes failures whose records were brought back.
	Done(ctx context.Context, items []*Item) error
	// Return puts failures that failed again back, with their Redrives increased by one.
	Return(ctx context.Context, items []*Item) error
	// Release leaves failures where they are; this run, and one that continues it, skip them. Every item is passed to
	// one of Done, Return or Release, or to none of them in a dry run or if the run ends before.
	Release(ctx context.Context, items []*Item) error
	// Total returns approximately how many failures there are, or -1 if unknown.
	Total(ctx context.Context) int64
	// Close closes the source. What was read but not settled is available to the next run.
	Close(ctx context.Context) error
}
