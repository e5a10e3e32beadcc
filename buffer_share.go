package esm

// SetBufferBytes changes what WithBufferBytes said, at least 1 MiB, for a program that shares its memory among Runners. It
// holds from the next fetch on: what is in memory by then stays, and is handled. What the Kafka client fetches ahead goes by
// WithBufferBytes still.
func (r *Runner) SetBufferBytes(n int) { r.shared.Budget.Limit.Store(int64(max(n, 1<<20))) }
