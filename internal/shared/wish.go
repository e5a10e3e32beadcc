package shared

import "sync/atomic"

// Wish is whether the mapping is to be paused, which Pause and Resume write and the loops read. It counts how often that
// changed, and is odd while it is to be paused: so a loop that looks late misses no change, and can say which of them has
// taken effect.
type Wish struct{ atomic.Uint64 }

// IsPaused reports whether it is to be paused.
func (w *Wish) IsPaused() bool { return w.Load()%2 == 1 }
