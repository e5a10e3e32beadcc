package shared

import "sync/atomic"

// Wish is whether the mapping should be paused. Pause and Resume write it, and the loops read it. It counts the changes,
// and is odd while the mapping should be paused. So a loop that looks late misses no change, and can say which one has
// taken effect.
type Wish struct{ atomic.Uint64 }

// IsPaused reports whether the mapping should be paused.
func (w *Wish) IsPaused() bool { return w.Load()%2 == 1 }
