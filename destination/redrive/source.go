package redrive

import "context"

// Source reads failures and keeps what became of them. Its methods are called from one goroutine.
type Source interface {
	// Read returns the next failures: at least one, and no more once they have n records. It ends with io.EOF when everything was read that was there when the source
	// was opened; what goes back is not read again.
	Read(ctx context.Context, n int) ([]*Item, error)
	// Done takes failures out whose records were brought back.
	Done(ctx context.Context, items []*Item) error
	// Return puts failures back that failed again, with one more in their Redrives.
	Return(ctx context.Context, items []*Item) error
	// Release leaves failures where they are; this run, and one that goes on from it, pass over them. Every item is given to
	// Done, Return or Release, or to none of them in a dry run and where the run ends before.
	Release(ctx context.Context, items []*Item) error
	// Total returns how many failures there are, about; -1 where that is not known.
	Total(ctx context.Context) int64
	// Close ends the source. What was read and not settled is there for the next run.
	Close(ctx context.Context) error
}
